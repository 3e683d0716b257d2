import type { FastifyUnderPressureOptions } from '@fastify/under-pressure';
import { problem } from '../problems.ts';

/** Polls are due every few seconds: later than this, and what is followed is seen too late. */
const MAX_EVENT_LOOP_DELAY_MS = 1_000;
/** On average over so long: one pause, as of a machine that was asleep, is no load. */
const SAMPLE_MS = 5_000;

/**
 * Calls that are followed go before requests, with which they share the process: while its event loop is late, requests
 * are refused. They are not while much memory is in use: a large heap is none that is about to be full.
 */
export const PRESSURE: FastifyUnderPressureOptions = {
  maxEventLoopDelay: MAX_EVENT_LOOP_DELAY_MS,
  sampleInterval: SAMPLE_MS,
  pressureHandler: async ({ routeOptions }) => {
    if (routeOptions.config.isProbe) return;
    throw problem.overloaded();
  },
};
