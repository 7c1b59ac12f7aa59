/** Mistakes of tool files that no other file is needed for: what a tool names must be in its own schema. */
import { type HttpToolFile, pointerOf, type ToolFile } from '@interlock/contracts';
import { compilePolicy, permitUrl } from '@interlock/egress';
import { checkDefinition, placeholdersOf, placesOf, urlsOf } from '@interlock/request';
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

function mcpMistakes({ mcp: { connection, credential } }: Extract<ToolFile, { mcp: unknown }>): Mistake[] {
  if (connection.transport === 'stdio' && credential.length > 0)
    return [
      {
        path: ['mcp', 'credential'],
        text: 'a local MCP server has no request that a credential could go into',
      },
    ];
  const placed = credential.filter(({ inject }) => inject.as === 'placeholder');
  if (placed.length > 0)
    return [{ path: ['mcp', 'credential'], text: 'the requests to an MCP server have no placeholder' }];
  return connection.transport === 'http'
    ? uncovered(connection.url, connection.egress, ['mcp', 'connection'])
    : [];
}

function httpMistakes(tool: HttpToolFile): Mistake[] {
  const { http, inputSchema, credential, spends, parse } = tool;
  const { url, egress } = http;
  const mistakes = checkDefinition({ target: http, inputSchema, credential }).map(({ path, text }) => ({
    path: path[0] === 'credential' ? path : ['http', ...path],
    text,
  }));
  // Without a URL nothing else can be looked at.
  if (mistakes.some(({ path }) => path[1] === 'url')) return mistakes;
  const secret = new Set(placeholdersOf(credential));
  const named = placesOf(http)
    .filter(({ name }) => !secret.has(name))
    .map(({ name, path }) => ({
      pointer: pointerOf([name]),
      path: ['http', ...path],
    }));
  const pointers = [
    ...(spends === undefined ? [] : [{ pointer: spends, path: ['spends'] }]),
    ...parse.map(({ at }, index) => ({ pointer: at, path: ['parse', index, 'at'] })),
  ];
  const lacking = [...named, ...pointers]
    .filter(({ pointer }) => lacksArgument(inputSchema, pointer))
    .map(({ pointer, path }) => ({ path, text: lackingText(pointer, inputSchema) }));
  // A misspelled name leaves the right one without a place: that follows, and is not said as well.
  const own = lacking.length === 0 ? mistakes : mistakes.filter(({ path }) => path.join('/') !== 'http/body');
  return [...lacking, ...own, ...urlsOf(url, inputSchema).flatMap((one) => uncovered(one, egress, ['http']))];
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
