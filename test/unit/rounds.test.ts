import { expect, it } from 'vitest';
import { systemClock as clock } from '../../src/clock.ts';
import { createRounds } from '../../src/upkeep/rounds.ts';
import { listeningLog } from '../support/log.ts';

it('go on when one fails, and tell of it once when they begin to fail and once when they succeed again', async () => {
  const { lines, log } = listeningLog();
  let rounds = 0;
  async function work(): Promise<void> {
    rounds++;
    if (rounds > 2 && rounds < 6) throw new Error('no');
  }
  const upkeep = createRounds({ name: 'the work', work, everyMs: 1, clock, log });
  upkeep.start();
  await expect.poll(() => rounds).toBeGreaterThan(8);
  await upkeep.stop();
  expect(lines.map(({ msg }) => msg)).toEqual([
    'the work failed: trying again until it succeeds',
    'the work succeeds again',
  ]);
});
