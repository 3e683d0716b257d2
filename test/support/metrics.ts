import type { PollMetrics } from '../../src/tracking/account.ts';

export const noMetrics: PollMetrics = { polled: () => {}, interval: () => {} };
