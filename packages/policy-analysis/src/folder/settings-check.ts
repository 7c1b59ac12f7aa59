/**
 * Names in the settings of rules (`config.<rule>` of the policy's data).
 *
 * The METADATA of each rule says what its names are: `restricts` and `widens` map patterns to kinds. A pattern is a JSON
 * Pointer in which `*` is every element of a list or every member of an object; where it is the last part, the names are
 * the elements, or the members' names. An unknown name under `restricts` is refused, since the rule would not hold;
 * under `widens` it is only warned about, since it can only refuse calls.
 */
import { localTimes, type RuleDescription } from '@interlock/policy';
import { type Finding, meantText } from './finding.ts';
import { type FolderNames, type NameKind, openKinds, type SettingKind } from './folder-names.ts';
import { isRecord } from './records.ts';
import { lacksArgument } from './schema-arguments.ts';
import { lackingText } from './tool-check.ts';

/** One file of a policy's data. */
export interface DataFile {
  file: string;
  /** The member `config` of the file. */
  config: unknown;
}

export interface SettingsFacts {
  names: FolderNames;
  rules: readonly Pick<RuleDescription, 'name' | 'restricts' | 'widens'>[];
  /** The text of the user's own rules: settings that they read are theirs. */
  ownRego: string;
}

const READ_SETTING = /config(?:\.|\[")([A-Za-z0-9_-]+)/g;

export function checkSettings(data: readonly DataFile[], facts: SettingsFacts): Finding[] {
  return data.flatMap((file) => {
    if (!isRecord(file.config)) return [];
    return [
      ...unknownZones(file),
      ...Object.keys(file.config).flatMap((name) => settingMistakes(file, name, facts)),
    ];
  });
}

function settingMistakes(file: DataFile, name: string, facts: SettingsFacts): Finding[] {
  if (name === 'zones' || !isRecord(file.config)) return [];
  const rule = facts.rules.find((one) => one.name === name);
  if (rule === undefined) return unreadSetting(file, name, facts);
  return (['restricts', 'widens'] as const).flatMap((effect) =>
    Object.entries(rule[effect]).flatMap(([pattern, kind]) =>
      namesIn(file.config, [name, ...pattern.split('/').slice(1)]).flatMap((found) =>
        mistakeOf(found, kind, facts.names).map(({ text, isUnknown }) => ({
          file: file.file,
          path: ['config', ...found.path],
          isKey: found.isKey,
          refused: effect === 'restricts' && isUnknown,
          text,
        })),
      ),
    ),
  );
}

function unreadSetting(file: DataFile, name: string, { rules, ownRego }: SettingsFacts): Finding[] {
  const read = [...ownRego.matchAll(READ_SETTING)].map(([, own]) => own);
  if (read.includes(name)) return [];
  const known = [...rules.map((rule) => rule.name), 'zones'];
  const text = `no rule reads the setting ${name}${meantText(name, known)}`;
  return [{ file: file.file, path: ['config', name], isKey: true, refused: true, text }];
}

function unknownZones({ file, config }: DataFile): Finding[] {
  const zones = isRecord(config) && Array.isArray(config['zones']) ? config['zones'] : [];
  return zones.flatMap((zone: unknown, index) => {
    if (typeof zone === 'string' && isZone(zone)) return [];
    const text = `${JSON.stringify(zone)} is no time zone${meantText(String(zone), Intl.supportedValuesOf('timeZone'))}`;
    return [{ file, path: ['config', 'zones', index], isKey: false, refused: true, text }];
  });
}

function isZone(zone: string): boolean {
  try {
    localTimes([zone], 0);
    return true;
  } catch {
    return false;
  }
}

/** A name in a setting, and the tools that the setting around it is about. */
interface FoundName {
  name: string;
  path: PropertyKey[];
  isKey: boolean;
  tools: readonly string[];
}

function namesIn(config: unknown, pattern: readonly string[]): FoundName[] {
  const visit = (
    value: unknown,
    at: PropertyKey[],
    rest: readonly string[],
    around: readonly string[],
  ): FoundName[] => {
    const tools = toolsNamedBy(value) ?? around;
    const [part, ...later] = rest;
    if (part === undefined)
      return typeof value === 'string' ? [{ name: value, path: at, isKey: false, tools }] : [];
    if (part !== '*') {
      if (!isRecord(value)) return [];
      // Beside `each` a pointer starts at an element, which the schema of the arguments says less about.
      if (part === 'at' && value['each'] !== undefined) return [];
      return visit(value[part], [...at, part], later, tools);
    }
    if (Array.isArray(value))
      return value.flatMap((one: unknown, index) => visit(one, [...at, index], later, tools));
    if (!isRecord(value)) return [];
    return Object.entries(value).flatMap(([key, one]) =>
      later.length === 0
        ? [{ name: key, path: [...at, key], isKey: true, tools }]
        : visit(one, [...at, key], later, [key]),
    );
  };
  return visit(config, [], pattern, []);
}

function toolsNamedBy(value: unknown): string[] | undefined {
  if (!isRecord(value)) return undefined;
  const { tool, tools } = value;
  if (typeof tool === 'string') return [tool];
  return Array.isArray(tools) ? tools.filter((one) => typeof one === 'string') : undefined;
}

interface NameMistake {
  text: string;
  /** True where nothing else can be meant by it. */
  isUnknown: boolean;
}

function mistakeOf(found: FoundName, kind: SettingKind, names: FolderNames): NameMistake[] {
  return kind === 'argument' ? lackingArgument(found, names) : unknownName(found.name, kind, names);
}

/** Returns what is wrong with a name of a kind, if nothing has it. */
export function unknownName(name: string, kind: NameKind, { of }: FolderNames): NameMistake[] {
  if (name === '*' || of[kind].has(name)) return [];
  const meant = meantText(name, of[kind]);
  return [{ text: `${wordsOf[kind]} ${name}${meant}`, isUnknown: !openKinds.has(kind) || meant !== '' }];
}

const wordsOf: Readonly<Record<NameKind, string>> = {
  tool: 'there is no tool',
  label: 'there is no label',
  agent: 'no file in agents/ defines the agent',
  tenant: 'no agent belongs to the tenant',
  user: 'no agent acts for the user',
  role: 'no agent has the role',
  environment: 'no tool and no agent is in the environment',
  zone: 'config.zones does not list the time zone',
};

function lackingArgument({ name, tools }: FoundName, names: FolderNames): NameMistake[] {
  const pointer = name === '' || name.startsWith('/') ? name : undefined;
  // A count by facts, and a name of an argument without a slash.
  const at = pointer ?? (name === 'recipients' ? '' : `/${name}`);
  return tools.flatMap((tool) => {
    const schema = names.tools.get(tool)?.inputSchema;
    if (schema === undefined || !lacksArgument(schema, at)) return [];
    return [{ text: `${tool}: ${lackingText(at, schema)}`, isUnknown: true }];
  });
}
