import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { credentialListSchema } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { usage } from '@interlock/shell';
import { Command } from 'commander';
import { z } from 'zod';
import { managementClientOf } from '../client.ts';
import { instant, print, table } from '../output.ts';
import { type CommonOptions, command } from './options.ts';

type CredentialOptions = CommonOptions & { as?: string };

const setSchema = z.strictObject({ name: z.string(), setAt: z.number() });

/** `interlock credential`: what is injected into requests. A value goes in by standard input and never comes out. */
export function credentialCommand(): Command {
  return new Command('credential')
    .description('set and list credentials')
    .addCommand(setCommand())
    .addCommand(listCommand())
    .addHelpText('after', '\nExample:\n  $ interlock credential set notes-token < token.txt');
}

function setCommand(): Command {
  return command(
    'set',
    'set a credential; its value comes from standard input',
    'interlock credential set notes-token < token.txt',
  )
    .argument('<name>', 'its name')
    .option('--as <person>', 'who acts')
    .action(async (name: string, options: CredentialOptions) => {
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
  return command('list', 'list the names of credentials', 'interlock credential list')
    .option('--as <person>', 'who asks')
    .action(async (options: CredentialOptions) => {
      const client = await managementClientOf(options);
      const list = await client.request({
        method: 'GET',
        path: '/v1/credentials',
        reply: credentialListSchema,
      });
      const rows = list.credentials.map(({ name, setAt }) => [name, instant(setAt)]);
      print(options, list, table(['credential', 'set'], rows));
    });
}

/** Reads a value from standard input without its last line break; at a terminal it asks, and echoes nothing. */
async function readSecret(prompt: string): Promise<Secret> {
  const value = process.stdin.isTTY
    ? await askUnseen(prompt)
    : (await text(process.stdin)).replace(/\r?\n$/, '');
  if (value === '') throw usage('No value came from standard input.');
  return new Secret(value);
}

async function askUnseen(prompt: string): Promise<string> {
  process.stderr.write(prompt);
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: unseen, terminal: true });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}
