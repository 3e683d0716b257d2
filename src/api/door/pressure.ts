import type { FastifyUnderPressureOptions } from '@fastify/under-pressure';
import { problem } from '../problems.ts';

/** Polls are due every few seconds: with an event loop this late, changes are seen too late. */
const MAX_EVENT_LOOP_DELAY_MS = 1_000;
/** The delay is averaged over this time: one pause, as of a machine that was asleep, is no load. */
const SAMPLE_MS = 5_000;

/**
 * Refuses requests with `overloaded` while the event loop is late, since requests share the process with the calls that
 * it follows, and those come first. Memory is not looked at: a large heap need not be about to be full.
 */
export const PRESSURE: FastifyUnderPressureOptions = {
  maxEventLoopDelay: MAX_EVENT_LOOP_DELAY_MS,
  sampleInterval: SAMPLE_MS,
  pressureHandler: async ({ routeOptions }) => {
    if (routeOptions.config.isProbe) return;
    throw problem.overloaded();
  },
};
