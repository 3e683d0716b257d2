import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Tests wait more than they work: on two cores one at a time would take twice as long.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    // Bounds that a busy machine meets too. They cost nothing where all is well, and no test takes them for an order.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 90_000, interval: 20 } },
  },
});
