import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { isOnPath } from '../support/redis-choice.ts';
import { check } from './check.ts';
import { shortPlan } from './plan.ts';
import { run } from './run.ts';
import { summary } from './summary.ts';

/** `npm run test:chaos` in a minute: two workers, a few hundred calls. */
const SECONDS = 50;
const CALLS = 300;

it.skipIf(!isOnPath('redis-server'))(
  'no call is lost, doubled or invented while everything goes wrong',
  { timeout: 150_000 },
  async ({ signal }) => {
    const seed = Number(process.env.CHAOS_SEED ?? randomInt(2 ** 31));
    const said: string[] = [`seed ${seed}`];
    const say = (line: string) => void said.push(line);
    const { evidence } = await run(shortPlan({ seed, seconds: SECONDS, calls: CALLS }), say, signal);
    const verdict = check(evidence);
    console.log(['chaos', `seed ${seed}`, ...summary(evidence, verdict)].join('\n'));
    expect(verdict.violations, said.join('\n')).toEqual([]);
  },
);
