import type { Command } from 'commander';
import { managementClientOf } from '../../client.ts';
import { print } from '../../output.ts';
import { bundleFor, submit, untilUsed } from '../../policy/publishing.ts';
import { decidersText, entryText } from '../../policy/state-text.ts';
import { type ManagementOptions, managementCommand } from '../options.ts';

interface PublishOptions extends ManagementOptions {
  reason?: string;
  bundle?: string;
  signature?: string;
}

const NOTES = `
Calls go on meanwhile, and each is decided by one version. Every decider verifies the author's signature and checks that
the bundle allows no call that names nobody. The command ends when all deciders use the bundle, and with exit code 1
when one rejected it.`;

/** `interlock policy publish`: puts a policy into force. */
export function publishCommand(): Command {
  return managementCommand(
    'publish',
    'compile, sign and publish policies, and wait until every decider uses them',
    'interlock policy publish my-interlock/policies --reason "refunds up to 50"',
  )
    .argument('[dir]', 'folder of policies (default: that of the configuration)')
    .option('--reason <text>', 'the reason, for the record')
    .option('--bundle <file>', 'publish this bundle of interlock policy build instead of a folder')
    .option('--signature <file>', 'file of its signature (default: the name of the bundle with .jws added)')
    .addHelpText('after', NOTES)
    .action(runPublish);
}

async function runPublish(dir: string | undefined, options: PublishOptions): Promise<void> {
  const signed = await bundleFor(dir, options);
  const client = await managementClientOf(options);
  const { entry, changed } = await submit(client, signed, { as: 'current', reason: options.reason });
  const deciders = await untilUsed(client, 'current', entry);
  const { version, digest } = entry;
  const head = changed
    ? `Published ${entryText(entry)}.`
    : `Unchanged: already in force is ${entryText(entry)}.`;
  print(options, { version, digest, changed, deciders }, `${head}\n\n${decidersText(deciders)}`);
}
