import type { PollMetrics } from '../../src/accounts/account.ts';
import type { RequestMetrics } from '../../src/api/server.ts';
import type { WriteMetrics } from '../../src/archive/write/writer.ts';
import type { PushMetrics } from '../../src/push/sender.ts';
import type { SweepMetrics } from '../../src/upkeep/sweeper.ts';

/** For tests of what is not measured. */
export const noMetrics: PollMetrics & WriteMetrics & SweepMetrics & RequestMetrics & PushMetrics = {
  polled: () => {},
  interval: () => {},
  wrote: () => {},
  failed: () => {},
  transition: () => {},
  settled: () => {},
  sweptUp: () => {},
  answered: () => {},
  refused: () => {},
  attempted: () => {},
  lag: () => {},
  disabled: () => {},
};
