import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConsoleFixture, startConsole } from './console.fixture.ts';

const FIRST = 'a'.repeat(64);
const LATER = 'b'.repeat(64);
let fixture: ConsoleFixture;
beforeAll(async () => {
  fixture = await startConsole([
    { person: 'alice', roles: ['admin'] },
    { person: 'otto', roles: ['operator'] },
  ]);
  const tool = {
    name: 'files_read',
    description: 'Reads.',
    inputSchema: { type: 'object' },
    target: {
      kind: 'mcp',
      server: 'files',
      name: 'read',
      connection: { transport: 'stdio', command: 'files' },
      definitionDigest: LATER,
      pinnedDigest: FIRST,
    },
  };
  const http = {
    name: 'note',
    description: 'Reads a note.',
    inputSchema: { type: 'object' },
    target: {
      kind: 'http',
      method: 'GET',
      url: 'https://notes.example/',
      egress: { allow: ['notes.example'] },
    },
  };
  await fixture.ask('alice', 'PUT', '/v1/tools/files_read', tool);
  await fixture.ask('alice', 'PUT', '/v1/tools/note', http);
});
afterAll(() => fixture[Symbol.asyncDispose]());

async function pin(person: string, name: string, definitionDigest: string) {
  return await fixture.ask(person, 'POST', `/v1/tools/${name}/pin`, { definitionDigest });
}

describe('[P-mcp-pinned] nobody pins a definition', () => {
  test('without being an admin', async () => {
    expect(await pin('otto', 'files_read', LATER)).toMatchObject({ status: 403 });
  });

  test('that is not the present one', async () => {
    for (const digest of [FIRST, 'c'.repeat(64)])
      expect(await pin('alice', 'files_read', digest)).toMatchObject({
        status: 409,
        body: { code: 'upstream_changed' },
      });
  });

  test('of a tool that has none, or does not exist', async () => {
    expect(await pin('alice', 'note', LATER)).toMatchObject({ status: 422 });
    expect(await pin('alice', 'nothing', LATER)).toMatchObject({ status: 404 });
  });
});

test('[P-mcp-pinned] an admin pins the present definition by naming its digest', async () => {
  expect(await pin('alice', 'files_read', LATER)).toMatchObject({
    status: 200,
    body: { name: 'files_read', target: { definitionDigest: LATER, pinnedDigest: LATER } },
  });
  const executor = await fixture.join('executor');
  expect((await executor.entries('tools').get('files_read'))?.value.target).toMatchObject({
    pinnedDigest: LATER,
  });
});
