import { expect, it } from 'vitest';
import { systemClock as clock } from '../../src/clock.ts';
import { createRounds } from '../../src/upkeep/rounds.ts';
import { listeningLog } from '../support/log.ts';

it('go on when one fails, and tell of it once when they begin to fail and once when they succeed again', async () => {
  const { lines, log } = listeningLog();
  let rounds = 0;
  async function work(): Promise<void> {
    rounds++;
    if (rounds > 2 && rounds < 6) throw Object.assign(new Error('no'), { severity: 'ERROR', code: '42501' });
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

it.each([
  ['nobody listens', Object.assign(new Error('no'), { code: 'ECONNREFUSED' })],
  ['the server is being ended', Object.assign(new Error('no'), { severity: 'FATAL', code: '57P01' })],
])('leave it to others to tell that Postgres is away, as where %s', async (_, error) => {
  const { lines, log } = listeningLog();
  let rounds = 0;
  async function work(): Promise<void> {
    rounds++;
    if (rounds > 2 && rounds < 6) throw error;
  }
  const upkeep = createRounds({ name: 'the work', work, everyMs: 1, clock, log });
  upkeep.start();
  await expect.poll(() => rounds).toBeGreaterThan(8);
  await upkeep.stop();
  expect(lines).toEqual([]);
});
