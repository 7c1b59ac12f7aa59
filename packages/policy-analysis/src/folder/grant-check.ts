/** Grants (`config.allow_listed`) that cover nothing: whoever wrote one meant a call that will be denied. */
import type { Finding } from './finding.ts';
import type { FolderNames } from './folder-names.ts';
import { isRecord } from './records.ts';
import type { DataFile } from './settings-check.ts';

const WHO = ['tenants', 'agents', 'users', 'roles'];
const WHAT = ['tools', 'labels'];
const MEMBERS = [...WHO, ...WHAT, 'where'];

export function checkGrants(data: readonly DataFile[], names: FolderNames): Finding[] {
  return data.flatMap(({ file, config }) => {
    const grants = isRecord(config) && Array.isArray(config['allow_listed']) ? config['allow_listed'] : [];
    return grants.flatMap((grant: unknown, index) => {
      const why = isRecord(grant) ? coversNothing(grant, names) : 'it is not an object';
      if (why === undefined) return [];
      const text = `this grant covers nothing: ${why}`;
      return [{ file, path: ['config', 'allow_listed', index], isKey: false, refused: false, text }];
    });
  });
}

function coversNothing(grant: Record<string, unknown>, names: FolderNames): string | undefined {
  const unknown = Object.keys(grant).find((member) => !MEMBERS.includes(member));
  if (unknown !== undefined) return `no grant has the member ${unknown}`;
  if (!WHO.some((member) => Object.hasOwn(grant, member))) return `it says none of ${WHO.join(', ')}`;
  if (!WHAT.some((member) => Object.hasOwn(grant, member))) return `it says none of ${WHAT.join(', ')}`;
  if (![...names.tools.values()].some((tool) => isAbout(grant, tool))) return 'no tool is what it names';
  const isFor = names.agents.some(
    (agent) =>
      among(grant['tenants'], agent.tenant) &&
      among(grant['agents'], agent.agent) &&
      among(grant['users'], agent.user) &&
      (grant['roles'] === undefined || agent.roles.some((role) => among(grant['roles'], role))),
  );
  return isFor ? undefined : 'no agent of agents/ is who it names';
}

function isAbout(
  { tools, labels }: Record<string, unknown>,
  tool: { name: string; labels: readonly string[] },
): boolean {
  if (!among(tools, tool.name)) return false;
  if (labels === undefined) return true;
  return tool.labels.length > 0 && tool.labels.every((label) => among(labels, label));
}

function among(names: unknown, name: string): boolean {
  return names === undefined || (Array.isArray(names) && (names.includes('*') || names.includes(name)));
}
