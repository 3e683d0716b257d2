import { monitorEventLoopDelay } from 'node:perf_hooks';

/**
 * Loaded into a sidecar by `--import`: at a SIGUSR2 says on standard error how late its event loop has been since the
 * last one. Node counts the pause between two looks too.
 */
const RESOLUTION_MS = 10;
const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delays.enable();
process.on('SIGUSR2', () => {
  const eventLoopP99Ms = Math.max(0, delays.percentile(99) / 1e6 - RESOLUTION_MS);
  delays.reset();
  process.stderr.write(`${JSON.stringify({ eventLoopP99Ms })}\n`);
});
