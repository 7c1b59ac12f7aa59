import { Command } from 'commander';
import { breakGlassCommand } from './break-glass.ts';
import { buildCommand } from './build.ts';
import { diffCommand } from './diff.ts';
import { docsCommand } from './docs.ts';
import { evalCommand } from './eval.ts';
import { explainCommand } from './explain.ts';
import { labelCommand } from './label.ts';
import { newCommand } from './new.ts';
import { publishCommand } from './publish.ts';
import { rollbackCommand } from './rollback.ts';
import { shadowCommand } from './shadow.ts';
import { simulateCommand } from './simulate.ts';
import { statusCommand } from './status.ts';
import { suggestCommand } from './suggest.ts';
import { testCommand } from './test.ts';

const NOTES = `
Rules are written and tested on any machine; what is published is signed with the author's key.

Example:
  $ interlock policy test my-interlock/policies`;

/** `interlock policy`: everything from a rule's first test to its publication and rollback. */
export function policyCommand(): Command {
  return new Command('policy')
    .description('write, test, publish and understand policies')
    .addCommand(newCommand())
    .addCommand(testCommand())
    .addCommand(docsCommand())
    .addCommand(buildCommand())
    .addCommand(diffCommand())
    .addCommand(simulateCommand())
    .addCommand(evalCommand())
    .addCommand(explainCommand())
    .addCommand(labelCommand())
    .addCommand(shadowCommand())
    .addCommand(publishCommand())
    .addCommand(rollbackCommand())
    .addCommand(statusCommand())
    .addCommand(suggestCommand())
    .addCommand(breakGlassCommand())
    .addHelpText('after', NOTES);
}
