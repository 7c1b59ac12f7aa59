import { Command } from 'commander';
import type { Machine } from './machine.ts';
import type { DemoOptions } from './run.ts';

/**
 * `interlock demo`: needs no account, no key and no configuration. The machine is loaded when it runs: no other command needs
 * what servers and services are started with.
 */
export function demoCommand(loadMachine: () => Promise<Machine>): Command {
  return new Command('demo')
    .description('start Interlock in a temporary folder, show governed tool calls, and remove everything')
    .option('--keep', 'leave Interlock running at the end, and print how to call it')
    .option('--json', 'print one JSON document at the end; the steps go to standard error')
    .addHelpText('after', '\nExample:\n  $ interlock demo --keep')
    .action(async (options: DemoOptions) => {
      const { runDemo } = await import('./run.ts');
      await runDemo(await loadMachine(), options);
    });
}
