import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Accounts, createAccounts } from '../../src/accounts/accounts.ts';
import { type CallState, UNSEEN } from '../../src/call/call.ts';
import { systemClock as clock } from '../../src/clock.ts';
import { createFollower } from '../../src/follow/follower.ts';
import { outboundCallingApi as api } from '../../src/polyai/outbound-calling.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { silentLog as log } from '../support/log.ts';
import { noMetrics as metrics } from '../support/metrics.ts';

const TOKEN = 'a-token-of-some-length';
const CALLS = 30;
const pace = { intervalMinMs: 200, intervalMaxMs: 500, backoffMaxMs: 2_000 };
const settings = {
  ...pace,
  pollTimeoutMs: 5_000,
  leaseMs: 2_000,
  notFoundGraceMs: 120_000,
  retentionMs: 7_200_000,
  maxTrackingMs: 86_400_000,
};
const account = { name: 'default', api, scope: {}, maxRequestsPerSecond: null, pace };

let polyai: Simulator;
let accounts: Accounts;
let ending: AbortController;
let following: Promise<unknown>[];
let callSids: string[];

/** Follows all calls, lease after lease, with an archive that commits at once. */
beforeEach(async () => {
  polyai = await startSimulator({ token: TOKEN });
  const accountSettings = [{ ...account, baseUrl: polyai.url, token: TOKEN }];
  accounts = createAccounts({
    ...{ settings: accountSettings, pollTimeoutMs: 5_000, exchange: null, metrics, clock, log },
  });
  const states = new Map<string, CallState>();
  const follow = createFollower({
    ...{ accounts, metrics, settings, clock, log, random: Math.random },
    archive: {
      async report({ callSid, sighting }) {
        const before = states.get(callSid) ?? UNSEEN;
        const state = sighting === undefined ? before : { ...before, status: sighting.status };
        states.set(callSid, state);
        return { callSid, account: 'default', state, ageMs: 60_000, silentMs: null, polls: 0 };
      },
    },
  });
  ending = new AbortController();
  const { signal } = ending;
  callSids = Array.from({ length: CALLS }, () =>
    polyai.place({ script: [{ status: 'queued', forMs: Infinity }] }),
  );
  following = callSids.map(async (callSid) => {
    let before = null;
    while (!signal.aborted) {
      const result = await follow(callSid, before, signal);
      before = result.kind === 'handBack' ? result.handOn : null;
    }
  });
});

afterEach(async () => {
  ending.abort();
  await Promise.all(following);
  await accounts.close();
  await polyai.stop();
});

const theAccount = () => {
  const found = accounts.get('default');
  if (found === undefined) throw new Error('default is not configured');
  return found;
};
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const polls = () => new Map(callSids.map((callSid) => [callSid, polyai.journal.polls(callSid).length]));
/** Calls that were polled since. */
function polledSince(before: ReadonlyMap<string, number>): number {
  return [...polls()].filter(([callSid, count]) => count > (before.get(callSid) ?? 0)).length;
}

const refused = (callSid: string) =>
  polyai.journal.polls(callSid).filter(({ shown }) => shown === null).length;

it.each(['<html>blocked</html>', undefined])(
  'one call that is always refused (403, %s) holds up no other',
  async (body) => {
    const callSid = callSids[0] ?? '';
    await expect.poll(() => polledSince(new Map())).toBe(CALLS);
    polyai.misbehave({ kind: 'status', code: 403, ...(body === undefined ? {} : { body }) }, { callSid });
    await expect.poll(() => refused(callSid)).toBeGreaterThan(0);
    const since = polyai.journal.total;
    for (let second = 0; second < 6; second++) {
      await pause(1_000);
      expect(theAccount().paused).toBe(false);
    }
    // Each of 29 calls in 0.2 to 0.5 s, on a machine that may do much else.
    expect(polyai.journal.total - since).toBeGreaterThan(200);
    // It is asked for itself, too, with backoff, and by no probe in 30 s.
    expect(refused(callSid)).toBeGreaterThan(2);
  },
);

it('all calls go on when the token is taken again, also those whose lease has ended meanwhile', async () => {
  await expect.poll(() => polledSince(new Map())).toBe(CALLS);
  polyai.setToken('another-token');
  await expect.poll(() => theAccount().paused).toBe(true);
  const asked = polyai.journal.total;
  await pause(settings.leaseMs * 1.5);
  // What was under way when the account was paused may still be counted.
  expect(polyai.journal.total - asked).toBeLessThan(CALLS);
  polyai.setToken(TOKEN);
  const before = polls();
  const since = clock.monotonic();
  await theAccount().askStatus(callSids[0] ?? '');
  expect(theAccount().paused).toBe(false);
  await expect.poll(() => polledSince(before)).toBe(CALLS);
  expect(clock.monotonic() - since).toBeLessThan(10_000);
});

it('a new token is tried at once, and all calls go on by it', async () => {
  await expect.poll(() => polledSince(new Map())).toBe(CALLS);
  polyai.setToken('another-token');
  await expect.poll(() => theAccount().paused).toBe(true);
  await pause(1_000);
  const before = polls();
  const since = clock.monotonic();
  accounts.apply([{ ...account, baseUrl: polyai.url, token: 'another-token' }]);
  await expect.poll(() => polledSince(before)).toBe(CALLS);
  expect(clock.monotonic() - since).toBeLessThan(10_000);
});
