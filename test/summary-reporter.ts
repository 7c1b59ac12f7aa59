/**
 * Ends a test run with the line `N passed, N failed`.
 *
 * A skipped test is a promise nobody checked, so it counts as failed. The exception is a run narrowed with
 * `-t`, where the tests that do not match are left out on purpose.
 */
import type { Reporter, TestModule, Vitest } from 'vitest/node';

export class SummaryReporter implements Reporter {
  #isNarrowed = false;

  onInit(vitest: Vitest): void {
    this.#isNarrowed = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly unknown[],
    reason: 'passed' | 'failed' | 'interrupted',
  ): void {
    const count = countTests(modules);
    const skipped = this.#isNarrowed ? [] : count.skipped;
    const known = count.failed + count.brokenSuites + unhandledErrors.length + skipped.length;
    // A run that failed for a reason with no test to its name still has to show in the figure.
    const failed = reason === 'passed' ? known : Math.max(known, 1);
    for (const title of skipped) process.stdout.write(`skipped, which counts as failed: ${title}\n`);
    process.stdout.write(`${count.passed} passed, ${failed} failed\n`);
    if (failed > 0) process.exitCode = 1;
  }
}

type Count = { passed: number; failed: number; brokenSuites: number; skipped: string[] };

function countTests(modules: readonly TestModule[]): Count {
  const count: Count = { passed: 0, failed: 0, brokenSuites: 0, skipped: [] };
  for (const module of modules) {
    // A file that cannot be loaded and a hook that throws are errors of a suite, not of a test.
    const suites = [module, ...module.children.allSuites()];
    count.brokenSuites += suites.filter((suite) => suite.errors().length > 0).length;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') count.passed += 1;
      else if (state === 'failed') count.failed += 1;
      else count.skipped.push(`${module.relativeModuleId} > ${test.fullName}`);
    }
  }
  return count;
}
