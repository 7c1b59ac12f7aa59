import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { credentialListSchema } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { Command } from 'commander';
import { z } from 'zod';
import { managementClientOf } from '../client.ts';
import { usage } from '../exit-codes.ts';
import { instant, print, table } from '../output.ts';
import { type ManagementOptions, managementCommand } from './options.ts';

const setSchema = z.strictObject({ name: z.string(), setAt: z.number() });

/** `interlock credential`: what is injected into requests. A value is read from standard input and is never printed. */
export function credentialCommand(): Command {
  return new Command('credential')
    .description('set and list credentials')
    .addCommand(setCommand())
    .addCommand(listCommand())
    .addHelpText('after', '\nExample:\n  $ interlock credential set notes-token < token.txt');
}

function setCommand(): Command {
  return managementCommand(
    'set',
    'set a credential; its value is read from standard input',
    'interlock credential set notes-token < token.txt',
  )
    .argument('<name>', 'its name')
    .action(async (name: string, options: ManagementOptions) => {
      const client = await managementClientOf(options);
      const value = await readSecret(`value of ${name}: `);
      const path = `/v1/credentials/${encodeURIComponent(name)}`;
      const set = await client.request({
        method: 'PUT',
        path,
        body: { value: value.reveal() },
        reply: setSchema,
      });
      print(options, set, `${name} is set.`);
    });
}

function listCommand(): Command {
  return managementCommand('list', 'list the names of credentials', 'interlock credential list').action(
    async (options: ManagementOptions) => {
      const client = await managementClientOf(options);
      const list = await client.request({
        method: 'GET',
        path: '/v1/credentials',
        reply: credentialListSchema,
      });
      const rows = list.credentials.map(({ name, setAt }) => [name, instant(setAt)]);
      print(options, list, table(['credential', 'set'], rows));
    },
  );
}

/** Reads a value from standard input without its last line break; at a terminal it prompts, and echoes nothing. */
async function readSecret(prompt: string): Promise<Secret> {
  const value = process.stdin.isTTY
    ? await promptWithoutEcho(prompt)
    : (await text(process.stdin)).replace(/\r?\n$/, '');
  if (value === '') throw usage('Standard input holds no value.');
  return new Secret(value);
}

async function promptWithoutEcho(prompt: string): Promise<string> {
  process.stderr.write(prompt);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}
