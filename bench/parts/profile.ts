import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MAIN } from '../../test/support/command-line.ts';
import type { Part, Table } from '../part.ts';
import { follow } from '../polling/calls.ts';
import { startWorker } from '../polling/polykeep.ts';
import { monotonicUs, type SelfTime, selfTimes } from '../polling/profile.ts';

const TOP = 25;

/** Where the time of polykeep's worker goes while it polls as fast as it can: self time by function, and by library. */
export const profile: Part = {
  name: 'profile',
  async run(bench) {
    const folder = join(bench.folder, 'profile');
    await mkdir(folder);
    const [warmUpMs, windowMs] = bench.quick ? [1_000, 1_000] : [3_000, 8_000];
    const worker = await startWorker(bench, {
      // Not what was built: functions are named by their files.
      main: MAIN,
      more: { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder} --cpu-prof-interval=500` },
    });
    let window: [fromUs: number, untilUs: number];
    try {
      await follow(worker, warmUpMs + windowMs);
      await sleep(warmUpMs);
      const fromUs = monotonicUs();
      await sleep(windowMs);
      window = [fromUs, monotonicUs()];
    } finally {
      await worker.upstream.lives({ laterBy: 0 });
      await worker.stop();
    }
    const times = await selfTimes(folder, ...window);
    return {
      title: 'Where the time goes',
      text: 'Self time of (b), of the time that its thread is not idle: by function, and by where functions are from.',
      tables: [byFunction(times), byOwner(times)],
      targets: [],
      notes: [],
      rounds: times.slice(0, 4 * TOP),
    };
  },
};

function byFunction(times: readonly SelfTime[]): Table {
  const rows = times.slice(0, TOP).map(({ name, place, share }) => [`\`${name}\` ${place}`, percent(share)]);
  return { head: ['function', 'self time'], rows };
}

function byOwner(times: readonly SelfTime[]): Table {
  const shares = new Map<string, number>();
  for (const { owner, share } of times) shares.set(owner, (shares.get(owner) ?? 0) + share);
  const sorted = [...shares].sort(([, one], [, other]) => other - one).slice(0, TOP);
  return { head: ['from', 'self time'], rows: sorted.map(([owner, share]) => [owner, percent(share)]) };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
