import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { FastifyInstance } from 'fastify';
import { problem } from '../problems.ts';
import type { CountRefusal } from './count-refusal.ts';

/** Polls are due every few seconds: later than this, and what is followed is seen too late. */
const MAX_DELAY_MS = 1_000;
/** The mean over so long: one pause, as of a machine that was asleep, is no load. */
const SAMPLE_MS = 5_000;
const RESOLUTION_MS = 10;

/**
 * Refuses requests while the event loop is late: calls that are followed share the process with them, and go first. Much
 * memory in use refuses none, since a large heap is not one that is about to be full.
 *
 * Not by `@fastify/under-pressure`: its timer also reads the process' memory, which throws where no file can be opened
 * any more (EMFILE), and that ended the process.
 */
export function refuseUnderPressure(app: FastifyInstance, count: CountRefusal): void {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  let isLate = false;
  const timer = setInterval(() => {
    const delayMs = delays.mean / 1e6 - RESOLUTION_MS;
    delays.reset();
    if (isLate === delayMs > MAX_DELAY_MS) return;
    isLate = !isLate;
    if (isLate)
      app.log.warn({ delayMs: Math.round(delayMs) }, 'requests are refused: the event loop is late');
    else app.log.info('requests are answered again');
  }, SAMPLE_MS).unref();
  app.addHook('onClose', async () => {
    clearInterval(timer);
    delays.disable();
  });
  app.addHook('onRequest', async ({ routeOptions }) => {
    if (!isLate || routeOptions.config.isProbe) return;
    count('late');
    throw problem.overloaded();
  });
}
