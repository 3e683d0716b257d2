import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { isOnPath } from '../support/redis-choice.ts';
import { check } from './check.ts';
import { shortPlan } from './plan.ts';
import { writeReport } from './report.ts';
import { run } from './run.ts';
import { summary } from './summary.ts';

/** `npm run test:chaos` in a minute: two workers, a few hundred calls. */
const SECONDS = 50;
const CALLS = 300;

// It flushes and restarts its Redis: that of REDIS_URL, or of a container, is not to be had for that.
it.skipIf(!isOnPath('redis-server'))(
  'no call is lost, doubled or invented while everything goes wrong',
  { timeout: 600_000 },
  async ({ signal }) => {
    const seed = Number(process.env.CHAOS_SEED ?? randomInt(2 ** 31));
    const said: string[] = [`seed ${seed}`];
    const say = (line: string) => void said.push(line);
    const remains = await run(shortPlan({ seed, seconds: SECONDS, calls: CALLS }), say, signal);
    const verdict = check(remains.evidence);
    console.log(['chaos', `seed ${seed}`, ...summary(remains.evidence, verdict)].join('\n'));
    if (verdict.violations.length > 0) said.push(await writeReport(seed, verdict.violations, remains));
    expect(verdict.violations, said.join('\n')).toEqual([]);
  },
);
