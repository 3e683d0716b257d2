import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { SidecarProcess } from '../test/support/sidecar.ts';

const LOOK_EVERY_MS = 25;

/** For the environment of a sidecar whose event loop is to be watched. */
export const WATCH_EVENT_LOOP = {
  NODE_OPTIONS: `--import=${fileURLToPath(new URL('./event-loop.ts', import.meta.url))}`,
};

/** How late it has been since it was last asked: the 99th percentile, in milliseconds. */
export async function eventLoopOf({ process, stderr }: SidecarProcess): Promise<number> {
  const before = stderr().length;
  process.kill('SIGUSR2');
  for (;;) {
    const [, ms] = /"eventLoopP99Ms":([\d.]+)}/.exec(stderr().slice(before)) ?? [];
    if (ms !== undefined) return Number(ms);
    await sleep(LOOK_EVERY_MS);
  }
}
