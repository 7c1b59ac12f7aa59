import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  agreeAtTerminal,
  type CommonOptions,
  command,
  confirmRemovals,
  foldersOf,
  report,
} from '@interlock/cli';
import { failureOf, processEnvironment, readIfPresent } from '@interlock/shell';
import type { Command } from 'commander';
import { copyExample } from '../example.ts';
import type { RunningInterlock } from '../running.ts';
import { packagesOf, sourceChanges } from '../source-changes.ts';
import { runUntilStopped } from './until-stopped.ts';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
/** In the checkout, and not under version control. */
const OWN = path.join(ROOT, '.interlock', 'dev');
const FILES_SHOWN = 3;

const NOTES = `
Without --config or INTERLOCK_CONFIG, it uses a copy of examples/quickstart that it makes in .interlock/dev.
The program itself (deploy/local, packages/cli) and policies are not watched: start dev again, or use interlock apply.`;

/** `interlock dev`: an installation for work on Interlock itself. */
export function devCommand(): Command {
  return command(
    'dev',
    'start Interlock, and restart a service when its source or that of a package it imports changes',
    'npm run dev',
  )
    .option(
      '--yes',
      'agree to start the programs that the configuration names, and to remove everything of a kind',
    )
    .addHelpText('after', NOTES)
    .action(runDev);
}

async function runDev(options: CommonOptions & { yes?: boolean }): Promise<void> {
  const { isOwn, ...folders } = await devFolders(options);
  // The example that comes with Interlock starts nothing that needs a question.
  const asked = { yes: isOwn || options.yes === true };
  const asks = { agree: agreeAtTerminal(asked), confirmRemovals: confirmRemovals(asked) };
  await runUntilStopped(options, { ...folders, ...asks }, restartOnChange);
}

async function devFolders(options: CommonOptions): Promise<{ config: string; data: string; isOwn: boolean }> {
  const { INTERLOCK_CONFIG } = processEnvironment();
  if (options.config !== undefined || INTERLOCK_CONFIG !== undefined)
    return { ...foldersOf(options), isOwn: false };
  const config = path.join(OWN, 'configuration');
  if ((await readIfPresent(path.join(config, 'people.yaml'))) === undefined)
    await copyExample('quickstart', config);
  return { ...foldersOf({ ...options, config }), isOwn: true };
}

/** Restarts services until `signal` aborts. A newer change of a service ends the waiting for its last restart. */
async function restartOnChange(interlock: RunningInterlock, signal: AbortSignal): Promise<void> {
  const packages = await packagesOf(ROOT);
  const waiting = new Map<string, AbortController>();
  const restarts = new Set<Promise<void>>();
  const restart = async (service: string) => {
    waiting.get(service)?.abort();
    const newer = new AbortController();
    waiting.set(service, newer);
    const superseded = AbortSignal.any([newer.signal, signal]);
    try {
      await interlock.restart(service, superseded);
      report(`${service} is ready again`);
    } catch (error) {
      if (!superseded.aborted) report(failureOf(error).detail);
    }
  };
  const changes = sourceChanges(ROOT, packages, signal);
  report(`watching the source of ${packages.length} packages`);
  for await (const { files, services } of changes) {
    report(`${shown(files)} changed: restarting ${services.join(', ')}`);
    for (const service of services) {
      const restarted = restart(service).finally(() => restarts.delete(restarted));
      restarts.add(restarted);
    }
  }
  await Promise.all(restarts);
}

function shown(files: readonly string[]): string {
  const more = files.length > FILES_SHOWN ? ` and ${files.length - FILES_SHOWN} more files` : '';
  return `${files.slice(0, FILES_SHOWN).join(', ')}${more}`;
}
