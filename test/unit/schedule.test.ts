import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Account, createAccount } from '../../src/accounts/account.ts';
import { createRateLimit } from '../../src/accounts/rate-limit.ts';
import { UNSEEN } from '../../src/call/call.ts';
import { Newcomers } from '../../src/call/pace.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { Schedule } from '../../src/follow/schedule.ts';
import { outboundCallingApi as api } from '../../src/polyai/outbound-calling.ts';
import { createPolyAiClient } from '../../src/polyai/polyai-client.ts';
import { PolyAiError } from '../../src/polyai/polyai-error.ts';
import { silentLog as log } from '../support/log.ts';
import { noMetrics as metrics } from '../support/metrics.ts';

const pace = { intervalMinMs: 2_000, intervalMaxMs: 5_000, backoffMaxMs: 60_000 };
const call = { callSid: 'a', account: 'default', state: UNSEEN, ageMs: 60_000, silentMs: null, polls: 0 };
const limited = new PolyAiError('too_many', 'HTTP 429', 3_000);

let account: Account;
let schedule: Schedule;
let now: number;

beforeEach(() => {
  now = 0;
  const clock: Clock = { ...systemClock, monotonic: () => now };
  const client = createPolyAiClient({
    ...{ baseUrl: 'http://127.0.0.1:9', api, scope: {}, token: 'a-token', timeoutMs: 100 },
  });
  account = createAccount({
    ...{
      name: 'default',
      connection: { api, scope: {}, token: 'a-token', pace, maxRequestsPerSecond: null, client },
    },
    limit: createRateLimit({ account: 'default', max: null, exchange: null, clock, log }),
    ...{ metrics, clock, log },
  });
  const random = () => 0.5;
  const newcomers = new Newcomers(random);
  schedule = new Schedule({ metrics, clock, random, newcomers }, account, call, null);
});

afterEach(() => {
  account.limit.stop();
  return account.connection.client.destroy();
});

it('is polled at once where no others come', () => {
  expect(schedule.nextPollAt).toBe(0);
});

describe('the place in the line', () => {
  it('is when the poll became due', () => {
    schedule.afterAnswer(0);
    expect([schedule.placeAt, schedule.nextPollAt]).toEqual([3_500, 3_500]);
  });

  it('is kept by a poll that a 429 puts off', () => {
    schedule.afterAnswer(0);
    now = 10_000;
    schedule.afterFailure(1, limited);
    expect([schedule.placeAt, schedule.nextPollAt]).toEqual([3_500, 13_500]);
    schedule.afterAnswer(13_500);
    expect(schedule.placeAt).toBe(schedule.nextPollAt);
  });

  it('is kept once, and not after failures of another kind', () => {
    schedule.afterAnswer(0);
    now = 10_000;
    schedule.afterFailure(1, limited);
    now = 14_000;
    schedule.afterFailure(2, limited);
    expect(schedule.placeAt).toBe(schedule.nextPollAt);
    schedule.afterFailure(1, new PolyAiError('unavailable', 'HTTP 503', 3_000));
    expect(schedule.placeAt).toBe(schedule.nextPollAt);
  });
});
