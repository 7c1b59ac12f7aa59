/** Mistakes of tool files that no other file is needed for: what a tool names must be in its own schema. */
import { type HttpToolFile, pointerOf, type ToolFile } from '@interlock/contracts';
import { compilePolicy, permitUrl } from '@interlock/egress';
import { checkDefinition, placesOf, urlsOf } from '@interlock/request';
import { failureOf } from '@interlock/shell';
import { type Finding, meantText } from './finding.ts';
import { toolsOf } from './folder-names.ts';
import { argumentsOf, lacksArgument } from './schema-arguments.ts';

/** What the executor takes; a connection is made by neither of them here. */
const CONNECT_TIMEOUT_MS = 5_000;

export interface ToolFileFound {
  file: string;
  tool: ToolFile;
}

export function checkTools(found: readonly ToolFileFound[]): Finding[] {
  return [
    ...found.flatMap(({ file, tool }) => {
      const own = 'mcp' in tool ? mcpMistakes(tool) : httpMistakes(tool);
      return own.map((mistake) => ({ ...mistake, file, isKey: false, refused: true }));
    }),
    ...namedTwice(found),
  ];
}

type Mistake = Pick<Finding, 'path' | 'text'>;

function mcpMistakes({ mcp: { connection } }: Extract<ToolFile, { mcp: unknown }>): Mistake[] {
  return connection.transport === 'http'
    ? uncovered(connection.url, connection.egress, ['mcp', 'connection'])
    : [];
}

function httpMistakes(tool: HttpToolFile): Mistake[] {
  const { http, inputSchema, spends, parse } = tool;
  const { url, egress } = http;
  const definition = { target: http, inputSchema };
  const mistakes = checkDefinition(definition).map(({ path, text }) => ({ path: ['http', ...path], text }));
  if (mistakes.some(({ path }) => path[1] === 'url')) return mistakes;
  const named = placesOf(http).map(({ name, path }) => ({
    pointer: pointerOf([name]),
    path: ['http', ...path],
  }));
  const pointers = [
    ...(spends === undefined ? [] : [{ pointer: spends, path: ['spends'] }]),
    ...parse.map(({ at }, index) => ({ pointer: at, path: ['parse', index, 'at'] })),
  ];
  return [
    ...[...named, ...pointers]
      .filter(({ pointer }) => lacksArgument(inputSchema, pointer))
      .map(({ pointer, path }) => ({ path, text: lackingText(pointer, inputSchema) })),
    ...mistakes,
    ...urlsOf(url, inputSchema).flatMap((one) => uncovered(one, egress, ['http'])),
  ];
}

/** Returns the words about an argument that a schema does not have. */
export function lackingText(pointer: string, schema: unknown): string {
  const [, first = ''] = pointer.split('/');
  return `the schema of the tool has no argument ${pointer}${meantText(first, argumentsOf(schema))}`;
}

function uncovered(
  url: string,
  egress: HttpToolFile['http']['egress'],
  path: readonly PropertyKey[],
): Mistake[] {
  try {
    const policy = compilePolicy({ ...egress, connectTimeoutMs: CONNECT_TIMEOUT_MS });
    permitUrl(url, policy);
    return [];
  } catch (error) {
    return [
      {
        path: [...path, 'egress', 'allow'],
        text: `the tool could not reach its own URL ${url}: ${failureOf(error).detail}`,
      },
    ];
  }
}

function namedTwice(found: readonly ToolFileFound[]): Finding[] {
  const files = new Map<string, string>();
  return found.flatMap(({ file, tool }) =>
    toolsOf(tool).flatMap(({ name }) => {
      const other = files.get(name);
      files.set(name, file);
      if (other === undefined || other === file) return [];
      return [
        { file, path: [], isKey: false, refused: true, text: `${other} already defines the tool ${name}` },
      ];
    }),
  );
}
