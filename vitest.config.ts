import { defineConfig } from 'vitest/config';
import { SummaryReporter } from './test/summary-reporter.ts';

// Node runs the tests' sources as they stand, like everything else: docs/decisions/020.
export default defineConfig({
  test: {
    include: ['{packages,services,policies,test,deploy,examples}/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'test/bench/**'],
    pool: 'forks',
    // Each worker may start four real servers; two keep a laptop usable and deadlines honest.
    maxWorkers: 2,
    // A test waits for real servers, so it gets what a loaded machine needs, and a hook starts them.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    allowOnly: false,
    passWithNoTests: false,
    dangerouslyIgnoreUnhandledErrors: false,
    reporters: ['default', new SummaryReporter()],
  },
});
