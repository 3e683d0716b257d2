import type { RequestMetrics } from '../../src/api/server.ts';
import type { WriteMetrics } from '../../src/archive/writer.ts';
import type { PollMetrics } from '../../src/tracking/account.ts';
import type { SweepMetrics } from '../../src/tracking/sweeper.ts';

/** For tests of what is not measured. */
export const noMetrics: PollMetrics & WriteMetrics & SweepMetrics & RequestMetrics = {
  polled: () => {},
  interval: () => {},
  wrote: () => {},
  failed: () => {},
  transition: () => {},
  settled: () => {},
  sweptUp: () => {},
  answered: () => {},
};
