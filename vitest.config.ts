import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Tests wait more than they work: on two cores one at a time would take twice as long.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    // What all is well for takes seconds; a machine that does much else may take minutes, and is not to fail for it.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 120_000, interval: 20 } },
  },
});
