import { z } from 'zod';
import { opa } from './opa.ts';

export const severitySchema = z.enum(['low', 'medium', 'high', 'critical']);

/** What a name in a rule's data is the name of; an argument is named by a JSON Pointer. */
const nameKindSchema = z.enum([
  'tool',
  'label',
  'agent',
  'tenant',
  'user',
  'role',
  'environment',
  'zone',
  'argument',
]);

/** `custom` of a rule's METADATA. The shipped rules have all of it. */
const customSchema = z.strictObject({
  severity: severitySchema.optional(),
  /** OWASP Top 10 for Agentic Applications. */
  owasp_asi: z.array(z.string().regex(/^ASI(0[1-9]|10)$/)).default([]),
  /** What would happen without the rule. */
  stops: z.string().optional(),
  /** One call, and what the rule returns for it. */
  example: z.string().optional(),
  /** Example data below `config`: YAML. */
  data: z.string().optional(),
  /** Names in its data, by pattern: with a name that nothing has, less would be denied or asked about. */
  restricts: z.record(z.string(), nameKindSchema).default({}),
  /** Names in its data, by pattern: with a name that nothing has, less would be allowed. */
  widens: z.record(z.string(), nameKindSchema).default({}),
});

const inspectedSchema = z.object({
  annotations: z
    .array(
      z.object({
        path: z.array(z.object({ value: z.string() })),
        annotations: z.object({
          scope: z.string(),
          title: z.string().optional(),
          description: z.string().optional(),
          custom: z.unknown().optional(),
        }),
      }),
    )
    .default([]),
});

/** The METADATA of a rule. */
export interface RuleDescription extends z.infer<typeof customSchema> {
  name: string;
  title: string;
  description: string;
}

export interface DescribeOptions {
  /** The `opa` program. */
  opaBin: string;
  /** A policy folder. */
  folder: string;
  signal: AbortSignal;
}

/**
 * Reads the METADATA of every rule of a folder, sorted by name. A rule without METADATA is left out.
 * Throws `configuration_invalid` with file and line when a rule cannot be parsed.
 */
export async function describeRules({ opaBin, folder, signal }: DescribeOptions): Promise<RuleDescription[]> {
  const argv = ['inspect', '-a', '--format', 'json', '.'];
  const inspected = await opa({ opaBin, argv, folder, withPaths: (errors) => errors, signal });
  const { annotations } = inspectedSchema.parse(JSON.parse(inspected));
  const described = annotations.flatMap(
    ({ path: where, annotations: { scope, title, description, custom } }) => {
      const [first, second, third, name = ''] = where.map(({ value }) => value);
      const isRule = [first, second, third].join('.') === 'data.interlock.rules' && where.length === 4;
      if (!isRule || scope !== 'package' || name.endsWith('_test')) return [];
      return [
        { name, title: title ?? name, description: description ?? '', ...customSchema.parse(custom ?? {}) },
      ];
    },
  );
  return described.sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Returns a page about rules, in Markdown. */
export function rulesPage(rules: readonly RuleDescription[]): string {
  const rows = rules.map(
    ({ name, title, severity, owasp_asi }) =>
      `| [\`${name}\`](#${name}) | ${title} | ${severity ?? ''} | ${owasp_asi.join(' ')} |`,
  );
  return [
    '# Rules',
    'Generated from the METADATA of each rule by `interlock policy docs`. How rules work together: [README](README.md).',
    ['| rule | effect | severity | risks (OWASP) |', '| --- | --- | --- | --- |', ...rows].join('\n'),
    ...rules.flatMap(sectionOf),
    '',
  ]
    .join('\n\n')
    .trimEnd()
    .concat('\n');
}

function sectionOf({ name, title, description, stops, example, data }: RuleDescription): string[] {
  return [
    `## ${name}`,
    `**${title}.** ${description.trim()}`.trimEnd(),
    ...(stops === undefined ? [] : [`**Stops:** ${stops.trim()}`]),
    ...(example === undefined ? [] : [`**Example:** ${example.trim()}`]),
    ...(data === undefined ? [] : [`\`\`\`yaml\nconfig:\n${indented(data)}\n\`\`\``]),
  ];
}

function indented(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? '' : `  ${line}`))
    .join('\n');
}
