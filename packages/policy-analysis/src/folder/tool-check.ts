/** Mistakes of tool files that no other file is needed for: what a tool names must be in its own schema. */
import { type HttpToolFile, pointerOf, type ToolFile } from '@interlock/contracts';
import { compilePolicy, permitUrl } from '@interlock/egress';
import { checkDefinition, placeholdersOf, placesOf, urlsOf } from '@interlock/request';
import { failureOf } from '@interlock/shell';
import { type Finding, meantText } from './finding.ts';
import { type KnownSchemas, toolsOf } from './folder-names.ts';
import { argumentsOf, lacksArgument } from './schema-arguments.ts';

/** What the executor takes; a connection is made by neither of them here. */
const CONNECT_TIMEOUT_MS = 5_000;

export interface ToolFileFound {
  file: string;
  tool: ToolFile;
}

export function checkTools(found: readonly ToolFileFound[], schemas: KnownSchemas): Finding[] {
  return [
    ...found.flatMap(({ file, tool }) => {
      const own = 'mcp' in tool ? mcpMistakes(tool, schemas) : httpMistakes(tool);
      return own.map((mistake) => ({ ...mistake, file, isKey: false, refused: true }));
    }),
    ...namedTwice(found),
  ];
}

type Mistake = Pick<Finding, 'path' | 'text'>;

function mcpMistakes({ mcp }: Extract<ToolFile, { mcp: unknown }>, schemas: KnownSchemas): Mistake[] {
  const { connection, credential, prefix, tools } = mcp;
  const lacking = Object.entries(tools).flatMap(([upstream, use]) => {
    const schema = schemas.get(`${prefix}${upstream}`);
    return schema === undefined ? [] : lackedBy(schema, pointersOf(use, ['mcp', 'tools', upstream]));
  });
  if (connection.transport === 'stdio' && credential.length > 0)
    return [
      ...lacking,
      {
        path: ['mcp', 'credential'],
        text: 'a local MCP server has no request that a credential could go into',
      },
    ];
  const placed = credential.filter(({ inject }) => inject.as === 'placeholder');
  if (placed.length > 0)
    return [
      ...lacking,
      { path: ['mcp', 'credential'], text: 'the requests to an MCP server have no placeholder' },
    ];
  return connection.transport === 'http'
    ? [...lacking, ...uncovered(connection.url, connection.egress, ['mcp', 'connection'])]
    : lacking;
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
  const lacking = lackedBy(inputSchema, [...named, ...pointersOf({ spends, parse }, [])]);
  // A misspelled name leaves the right one without a place: that follows, and is not said as well.
  const own = lacking.length === 0 ? mistakes : mistakes.filter(({ path }) => path.join('/') !== 'http/body');
  return [...lacking, ...own, ...urlsOf(url, inputSchema).flatMap((one) => uncovered(one, egress, ['http']))];
}

interface PointerFound {
  pointer: string;
  path: readonly PropertyKey[];
}

function pointersOf(
  { spends, parse }: Pick<HttpToolFile, 'spends' | 'parse'>,
  path: readonly PropertyKey[],
): PointerFound[] {
  return [
    ...(spends === undefined ? [] : [{ pointer: spends, path: [...path, 'spends'] }]),
    ...parse.map(({ at }, index) => ({ pointer: at, path: [...path, 'parse', index, 'at'] })),
  ];
}

function lackedBy(schema: HttpToolFile['inputSchema'], pointers: readonly PointerFound[]): Mistake[] {
  return pointers
    .filter(({ pointer }) => lacksArgument(schema, pointer))
    .map(({ pointer, path }) => ({ path, text: lackingText(pointer, schema) }));
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
