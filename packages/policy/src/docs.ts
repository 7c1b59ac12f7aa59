import { z } from 'zod';
import { opa } from './opa.ts';

export const severitySchema = z.enum(['low', 'medium', 'high', 'critical']);

/** What a rule's METADATA says under `custom`. The shipped rules say all of it. */
const customSchema = z.strictObject({
  severity: severitySchema.optional(),
  /** OWASP Top 10 for Agentic Applications. */
  owasp_asi: z.array(z.string().regex(/^ASI(0[1-9]|10)$/)).default([]),
  /** What would happen without the rule. */
  stops: z.string().optional(),
  /** One call, and what the rule says of it. */
  example: z.string().optional(),
  /** What may stand below `config` in data: YAML. */
  data: z.string().optional(),
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

/** What a rule says of itself. */
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
 * Reads the METADATA of every rule of a folder, sorted by name. A rule without METADATA is not among them.
 * Throws `configuration_invalid` with file and line where a rule does not parse.
 */
export async function describeRules({ opaBin, folder, signal }: DescribeOptions): Promise<RuleDescription[]> {
  const argv = ['inspect', '-a', '--format', 'json', '.'];
  const said = await opa({ opaBin, argv, folder, named: (complaint) => complaint, signal });
  const { annotations } = inspectedSchema.parse(JSON.parse(said));
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
    'Made from the METADATA of each rule by `interlock policy docs`. How rules work together: [README](README.md).',
    ['| rule | what holds | severity | risks (OWASP) |', '| --- | --- | --- | --- |', ...rows].join('\n'),
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
