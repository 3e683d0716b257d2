import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AccountSettings, type Accounts, createAccounts } from '../../src/accounts/accounts.ts';
import { systemClock as clock } from '../../src/clock.ts';
import { outboundCallingApi as api } from '../../src/polyai/outbound-calling.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { silentLog as log } from '../support/log.ts';
import { noMetrics as metrics } from '../support/metrics.ts';

const TOKEN = 'a-token-of-some-length';
const never = new AbortController().signal;

let polyai: Simulator;
let accounts: Accounts;

beforeEach(async () => {
  polyai = await startSimulator({ token: TOKEN });
});

afterEach(async () => {
  await accounts.close();
  await polyai.stop();
});

function named(name: string, more: Partial<AccountSettings> = {}): AccountSettings {
  const pace = { intervalMinMs: 1_000, intervalMaxMs: 1_000, backoffMaxMs: 1_000 };
  const maxRequestsPerSecond = null;
  return { name, api, baseUrl: polyai.url, token: TOKEN, scope: {}, maxRequestsPerSecond, pace, ...more };
}

function open(settings: readonly AccountSettings[], connections?: number): void {
  const common = { pollTimeoutMs: 800, exchange: null, metrics, clock, log };
  accounts = createAccounts({ settings, ...common, ...(connections === undefined ? {} : { connections }) });
}

const account = (name: string) => {
  const found = accounts.get(name);
  if (found === undefined) throw new Error(`${name} is not configured`);
  return found;
};

async function ask(name: string, callSid = polyai.place()) {
  const slot = await account(name).slot(clock.monotonic(), Number.POSITIVE_INFINITY, never);
  if (slot === null) throw new Error(`${name} has no slot for ${callSid}`);
  return account(name).getStatus(callSid, slot, never, null);
}

describe('connections to PolyAI', () => {
  /** How many requests of an account are at PolyAI at a time. */
  async function atATime(name: string): Promise<number> {
    const repair = polyai.misbehave({ kind: 'hang' });
    const asked = Promise.allSettled(Array.from({ length: 20 }, () => ask(name)));
    await new Promise((done) => setTimeout(done, 500));
    const open = polyai.openRequests();
    repair();
    await asked;
    return open;
  }

  it('are shared by the accounts, also by one that comes later', async () => {
    open([named('one'), named('two')], 12);
    expect([await atATime('one'), await atATime('two')]).toEqual([6, 6]);
    accounts.apply([named('one'), named('two'), named('three')]);
    expect([await atATime('one'), await atATime('three')]).toEqual([4, 4]);
  });

  it('are one at least', async () => {
    open([named('one'), named('two')], 1);
    expect(await atATime('one')).toBe(1);
  });
});

describe('an account that is configured anew', () => {
  it('has to be proven again where its URL, API or token is another, and not for another pace or limit', async () => {
    open([named('one')]);
    const { health } = account('one');
    await ask('one');
    expect(health.isProven).toBe(true);
    const pace = { intervalMinMs: 2_000, intervalMaxMs: 3_000, backoffMaxMs: 4_000 };
    accounts.apply([named('one', { pace, maxRequestsPerSecond: 7 })]);
    expect(account('one').connection).toMatchObject({ pace, maxRequestsPerSecond: 7 });
    expect(health.isProven).toBe(true);
    accounts.apply([named('one', { baseUrl: `${polyai.url}/elsewhere` })]);
    expect(health.isProven).toBe(false);
  });
});

describe('what readiness says of an account', () => {
  it('is "limited" while polls wait since PolyAI answered 429, and not for a limit that is configured', async () => {
    open([named('one'), named('two', { maxRequestsPerSecond: 1 })]);
    const waiting = new AbortController();
    const queue = (name: string) => {
      const { limit } = account(name);
      for (let n = 0; n < 50; n++)
        void limit.slot(clock.monotonic(), clock.monotonic() + 60_000, waiting.signal);
    };
    queue('two');
    expect(account('two').limit.waiting).toBeGreaterThan(0);
    expect(account('two').condition).toBe('ok');
    polyai.misbehave({ kind: 'status', code: 429, retryAfter: '30' }, { times: 1 });
    await expect(ask('one')).rejects.toMatchObject({ code: 'too_many' });
    queue('one');
    expect(account('one').condition).toBe('limited');
    waiting.abort();
  });

  it('is told by what the drop-in asks, too', async () => {
    open([named('one', { baseUrl: 'http://127.0.0.1:9' })]);
    const { health } = account('one');
    await expect
      .poll(
        async () => {
          await account('one')
            .askStatus('a-call')
            .catch(() => {});
          return health.state;
        },
        { interval: 500 },
      )
      .toBe('failing');
  });
});
