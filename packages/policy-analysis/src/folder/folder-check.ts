/** Mistakes between the files of a configuration folder: names that nothing has, and what the files lack together. */
import type { AgentFile, ApprovalsEntry, ConfiguredPerson, LimitsEntry } from '@interlock/contracts';
import type { RuleDescription } from '@interlock/policy';
import { type Finding, meantText } from './finding.ts';
import { type FolderNames, folderNames, type KnownSchemas, type NameKind } from './folder-names.ts';
import { checkGrants } from './grant-check.ts';
import { isRecord } from './records.ts';
import { checkRego, type RegoFile } from './rego-check.ts';
import { checkSettings, type DataFile, unknownName } from './settings-check.ts';
import { checkTools, type ToolFileFound } from './tool-check.ts';

/** What a configuration folder holds, each file read and checked against its schema. */
export interface FolderContents {
  tools: readonly ToolFileFound[];
  agents: readonly AgentFile[];
  people: readonly ConfiguredPerson[];
  limits: LimitsEntry | undefined;
  approvals: ApprovalsEntry | undefined;
  data: readonly DataFile[];
  rules: readonly RuleDescription[];
  /** The user's own rules. */
  ownRules: readonly RegoFile[];
  schemas: KnownSchemas;
}

/** Returns the mistakes of a whole folder. */
export function checkFolder(contents: FolderContents): Finding[] {
  const { tools, agents, people, limits, approvals, data, rules, ownRules, schemas } = contents;
  const files = tools.map(({ tool }) => tool);
  const names = folderNames({ tools: files, agents, people, zones: zonesOf(data), schemas });
  return [
    ...checkTools(tools, schemas),
    ...checkLimits(limits, names),
    ...checkApprovals(approvals, names),
    ...checkPeople(people, names),
    ...checkPersonRoles(people, approvals),
    ...checkSettings(data, { names, rules, ownRego: ownRules.map(({ text }) => text).join('\n') }),
    ...checkRego(ownRules, names),
    ...checkGrants(data, names),
  ];
}

function zonesOf(data: readonly DataFile[]): string[] {
  return data.flatMap(({ config }) => {
    const zones: unknown = isRecord(config) ? config['zones'] : undefined;
    return Array.isArray(zones) ? zones.filter((zone) => typeof zone === 'string') : [];
  });
}

const MATCHES = ['tool', 'agent', 'tenant', 'user'] as const satisfies NameKind[];

function checkLimits(limits: LimitsEntry | undefined, names: FolderNames): Finding[] {
  if (limits === undefined) return [missing('limits.yaml', 'limits')];
  return limits.limits.flatMap(({ match }, index) =>
    MATCHES.flatMap((kind) => {
      const name = match[kind];
      if (name === undefined) return [];
      // A name here is compared as it is: a star is none.
      const mistakes =
        name === '*' ? [{ text: 'a name, not *', isUnknown: true }] : unknownName(name, kind, names);
      return mistakes.map(({ text, isUnknown }) => ({
        ...{ file: 'limits.yaml', path: ['limits', index, 'match', kind], isKey: false },
        ...{ refused: isUnknown, text },
      }));
    }),
  );
}

function checkApprovals(approvals: ApprovalsEntry | undefined, names: FolderNames): Finding[] {
  if (approvals === undefined) return [missing('approvals.yaml', 'approvals')];
  const file = 'approvals.yaml';
  const tools = approvals.rules.flatMap(({ tool }, index) =>
    unknownName(tool, 'tool', names).map(({ text }) => ({
      ...{ file, path: ['rules', index, 'tool'], isKey: false, refused: true, text },
    })),
  );
  const roles = [
    { roles: approvals.roles, path: ['roles'] },
    ...approvals.rules.map(({ roles = [] }, index) => ({ roles, path: ['rules', index, 'roles'] })),
  ];
  return [
    ...tools,
    ...roles.flatMap(({ roles: named, path }) =>
      named.flatMap((role, index) =>
        names.personRoles.has(role)
          ? []
          : [
              {
                ...{ file, path: [...path, index], isKey: false, refused: false },
                text: `nobody in people.yaml has the role ${role}${meantText(role, names.personRoles)}`,
              },
            ],
      ),
    ),
  ];
}

/** A person with rights in a tenant that no agent is in can do nothing there. */
function checkPeople(people: readonly ConfiguredPerson[], names: FolderNames): Finding[] {
  return people.flatMap(({ tenants = [] }, person) =>
    tenants.flatMap((tenant, index) =>
      unknownName(tenant, 'tenant', names).map(({ text }) => ({
        ...{ file: 'people.yaml', path: ['people', person, 'tenants', index], isKey: false },
        ...{ refused: false, text },
      })),
    ),
  );
}

/** Roles of the console. */
const CONSOLE_ROLES = ['admin', 'operator', 'approver', 'reader'];

/** Policy can ask people with any role, so a role that nothing here names is a mistake only where it looks like one. */
function checkPersonRoles(
  people: readonly ConfiguredPerson[],
  approvals: ApprovalsEntry | undefined,
): Finding[] {
  const asked = [approvals?.roles ?? [], ...(approvals?.rules ?? []).map(({ roles = [] }) => roles)].flat();
  const known = new Set([...CONSOLE_ROLES, ...asked]);
  return people.flatMap(({ roles }, person) =>
    roles.flatMap((role, index) => {
      const meant = known.has(role) ? '' : meantText(role, known);
      if (meant === '') return [];
      return [
        {
          ...{ file: 'people.yaml', path: ['people', person, 'roles', index], isKey: false, refused: false },
          text: `neither the console nor approvals.yaml knows the role ${role}${meant}`,
        },
      ];
    }),
  );
}

function missing(file: string, name: string): Finding {
  const text = `there is no ${file}: until ${name} were applied once, every call that needs them is answered with 503`;
  return { file, path: [], isKey: false, refused: false, text };
}
