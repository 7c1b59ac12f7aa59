import type { Command } from 'commander';
import { managementClientOf } from '../../client.ts';
import { print } from '../../output.ts';
import { bundleFor, submit, untilTaken } from '../../policy/publishing.ts';
import { decidersText, entryText } from '../../policy/state-text.ts';
import { type CommonOptions, command } from '../options.ts';

interface PublishOptions extends CommonOptions {
  reason?: string;
  bundle?: string;
  signature?: string;
  as?: string;
}

const NOTES = `
Calls go on meanwhile: each is decided by the policy before or by the new one, whole. Every decider checks the author's
signature and its canaries before it takes the bundle; the command ends when all have, and with exit code 1 when one
refused it.`;

/** `interlock policy publish`: makes a policy the one that decides. */
export function publishCommand(): Command {
  return command(
    'publish',
    'compile, sign and publish policies, and wait until every decider took them',
    'interlock policy publish examples/quickstart/policies --reason "refunds up to 50"',
  )
    .argument('[dir]', "folder of policies; the configuration's when left out")
    .option('--reason <text>', 'why, for the record')
    .option('--bundle <file>', 'a bundle that interlock policy build wrote, instead of a folder')
    .option('--signature <file>', 'its signature (default: the bundle with .jws added)')
    .option('--as <person>', 'who acts')
    .addHelpText('after', NOTES)
    .action(runPublish);
}

async function runPublish(dir: string | undefined, options: PublishOptions): Promise<void> {
  const signed = await bundleFor(dir, options);
  const client = await managementClientOf(options);
  const { entry, changed } = await submit(client, signed, { as: 'current', reason: options.reason });
  const deciders = await untilTaken(client, 'current', entry);
  const { version, digest } = entry;
  const head = changed ? `Published ${entryText(entry)}.` : `Unchanged: this is ${entryText(entry)}.`;
  print(options, { version, digest, changed, deciders }, `${head}\n\n${decidersText(deciders)}`);
}
