import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AccountHealth } from '../../src/accounts/account-health.ts';
import type { PollResult } from '../../src/accounts/poll-signs.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

const passes = (ms: number) => vi.advanceTimersByTime(ms);

/** A poll each second, of another call each time unless one is given. */
function account(intervalMaxMs = 5_000) {
  const lines: { level: number; msg: string; reason?: string }[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const health = new AccountHealth({
    ...{ account: 'default', log, clock: { monotonic: () => performance.now() } },
    intervalMaxMs: () => intervalMaxMs,
  });
  health.join();
  function polls(
    count: number,
    result: PollResult,
    reason = result === 'status' ? '' : result,
    callSid?: string,
  ): void {
    for (let n = 0; n < count; n++) {
      passes(1_000);
      health.learn(result, reason, callSid ?? `call ${n % 10}`);
    }
  }
  return { health, polls, lines };
}

const WARN = 40;

/** Polls of calls that were shown before; of another each time unless one is given. */
function denied(count: number, { health, polls }: ReturnType<typeof account>, callSid?: string): void {
  for (let n = 0; n < count; n++) {
    const denied = callSid ?? `call ${n}`;
    polls(1, 'not_found', 'HTTP 404', denied);
    health.contradicted(denied);
  }
}

describe('an account whose polls fail', () => {
  it('is ok before the first poll, failing after 3 s of failures, and ok again with the first answer', () => {
    const { health, polls, lines } = account();
    expect(health.text).toBe('ok');
    polls(3, 'unreachable', 'ENOTFOUND api.example');
    expect(health.text).toBe('ok');
    polls(1, 'unreachable', 'ENOTFOUND api.example');
    expect(health.text).toBe('failing: ENOTFOUND api.example');
    polls(1, 'status');
    expect(health.text).toBe('ok');
    expect(lines).toMatchObject([
      { level: WARN, msg: 'polls of the account fail', reason: 'ENOTFOUND api.example' },
      { msg: 'polls of the account are answered again', before: 'failing' },
    ]);
  });

  it('is warned of once for each kind of failure, though kinds take turns and words differ', () => {
    const { polls, lines } = account();
    for (let n = 0; n < 100; n++) {
      polls(1, 'unavailable', `HTTP 502: ${n} of 100`);
      polls(1, 'unavailable', 'UND_ERR_SOCKET: other side closed');
    }
    expect(lines.map(({ reason }) => reason?.slice(0, 8))).toEqual(['UND_ERR_', 'HTTP 502']);
    polls(1, 'status');
    polls(4, 'unavailable', 'HTTP 502');
    expect(lines).toHaveLength(4);
  });

  it('is not failing by a few failures between answers, nor by many at one moment', () => {
    const { health, polls, lines } = account();
    for (let n = 0; n < 10; n++) {
      polls(3, 'unavailable');
      polls(1, 'status');
    }
    for (let n = 0; n < 1_000; n++) health.learn('unavailable', 'HTTP 502', `${n}`);
    expect(health.state).toBe('ok');
    expect(lines).toEqual([]);
  });

  it('is failing within 20 s of a failed poll though no other comes, as where a gateway asks to wait', () => {
    const { health, lines } = account();
    passes(1_234);
    health.learn('unavailable', 'HTTP 503', 'a call');
    passes(9_000);
    expect(health.state).toBe('ok');
    passes(6_000);
    expect(health.text).toBe('failing: HTTP 503');
    expect(lines).toMatchObject([{ level: WARN, reason: 'HTTP 503' }]);
    passes(60_000);
    expect(lines).toHaveLength(1);
  });

  it('is not failing by silence where no call is followed any more, nor while a 429 holds all up', () => {
    const left = account();
    left.health.learn('unavailable', 'HTTP 503', 'a call');
    left.health.leave();
    passes(60_000);
    expect(left.health.state).toBe('ok');
    const held = account();
    held.health.learn('unavailable', 'HTTP 503', 'a call');
    held.health.learn('too_many', 'HTTP 429', 'another');
    passes(60_000);
    expect(held.health.state).toBe('ok');
  });

  it.each(['failing', 'denying'])('is ok once no call of it was followed for 10 s: %s', (kind) => {
    const left = account();
    left.polls(1, 'status');
    if (kind === 'failing') left.polls(5, 'unavailable', 'HTTP 502');
    else denied(20, left);
    left.health.leave();
    passes(9_000);
    left.health.join();
    passes(60_000);
    expect(left.health.state).toBe('failing');
    left.health.leave();
    passes(9_000);
    expect(left.health.state).toBe('failing');
    passes(4_000);
    expect(left.health).toMatchObject({ state: 'ok', isTrusted: kind === 'failing' });
    expect(left.lines.slice(1)).toMatchObject([
      { msg: 'no call of the account is left to poll: how PolyAI answers is not known', before: 'failing' },
    ]);
    left.health.join();
    passes(60_000);
    expect(left.health.state).toBe('ok');
  });

  it('is paused or unproven still where no call of it is followed any more', () => {
    const refused = account();
    refused.polls(5, 'unauthorized', 'HTTP 401');
    const strange = account();
    strange.polls(15, 'not_found', 'HTTP 404');
    for (const { health } of [refused, strange]) health.leave();
    passes(60_000);
    expect([refused.health.state, strange.health.state]).toEqual(['paused', 'unproven']);
  });

  it('tells readiness no more than 100 characters of what an answer said', () => {
    const { health, polls } = account();
    polls(5, 'unavailable', `HTTP 502: ${'x'.repeat(300)}`);
    expect(health.text).toHaveLength('failing: '.length + 100);
  });

  it('is not told by a 429, which says nothing of it', () => {
    const { health, polls } = account();
    polls(10, 'too_many');
    expect(health.state).toBe('ok');
    polls(5, 'unavailable');
    polls(10, 'too_many');
    expect(health.state).toBe('failing');
  });
});

describe('an account that PolyAI knows no call of', () => {
  it.each<PollResult>(['not_found', 'rejected'])(
    'is unproven after 10 s of %s, until a status is shown',
    (denied) => {
      const { health, polls, lines } = account();
      polls(10, denied);
      expect(health.state).toBe('ok');
      polls(20, denied);
      expect(health).toMatchObject({ state: 'unproven', isProven: false, text: 'unproven' });
      polls(1, 'status');
      expect(health).toMatchObject({ state: 'ok', isProven: true });
      expect(lines.map(({ msg }) => msg)).toEqual([
        'PolyAI knows none of the account’s calls: are its URL, region and token right?',
        'PolyAI shows a call of the account: it is proven',
      ]);
    },
  );

  it('is proven for good once it has shown one, until it is configured to be elsewhere', () => {
    const { health, polls } = account();
    polls(1, 'status');
    polls(100, 'not_found');
    expect(health).toMatchObject({ state: 'ok', isProven: true });
    health.begin();
    expect(health.isProven).toBe(false);
    polls(12, 'not_found');
    expect(health.state).toBe('unproven');
  });

  it('that fails and answers again is unproven again', () => {
    const { health, polls } = account();
    polls(12, 'not_found');
    polls(5, 'unavailable');
    expect(health.state).toBe('failing');
    polls(1, 'not_found');
    expect(health.state).toBe('unproven');
  });
});

describe('an account whose token is refused', () => {
  it('is paused once several calls are refused for 3 s, whatever fails meanwhile, until PolyAI takes it', () => {
    const { health, polls, lines } = account();
    polls(1, 'status');
    polls(3, 'unauthorized', 'HTTP 401');
    expect(health.text).toBe('ok');
    polls(1, 'unauthorized', 'HTTP 401');
    expect(health.text).toBe('paused');
    polls(10, 'unavailable');
    expect(health.state).toBe('paused');
    health.begin();
    expect(health.state).toBe('paused');
    polls(1, 'not_found');
    expect(health.state).toBe('ok');
    expect(lines).toMatchObject([
      { level: 50, msg: 'account paused: PolyAI refuses its token', reason: 'HTTP 401' },
      { msg: 'account resumed: PolyAI takes its token again' },
    ]);
  });

  it('is not paused by one call, however often it is refused, while others are answered', () => {
    const { health, polls, lines } = account();
    for (let n = 0; n < 100; n++) {
      polls(4, 'unauthorized', 'HTTP 403', 'of another project');
      polls(1, 'status', '', 'another');
    }
    expect(health.state).toBe('ok');
    expect(lines).toEqual([]);
  });

  it('is not paused by refusals here and there', () => {
    const { health, polls } = account();
    for (let n = 0; n < 100; n++) {
      polls(2, 'unauthorized', 'HTTP 403');
      polls(1, 'status');
    }
    expect(health.state).toBe('ok');
  });

  it('is paused within 20 s where it has one call alone', () => {
    const { health, polls } = account();
    polls(5, 'status', '', 'alone');
    polls(1, 'unauthorized', 'HTTP 401', 'alone');
    passes(9_000);
    expect(health.state).toBe('ok');
    passes(6_000);
    expect(health.state).toBe('paused');
  });
});

it('an account whose calls are polled once a minute is not paused by one that is refused meanwhile', () => {
  const { health, polls } = account(60_000);
  for (let n = 0; n < 10; n++) {
    polls(1, 'status', '', 'another');
    polls(59, 'unauthorized', 'HTTP 403', 'of another project');
  }
  expect(health.state).toBe('ok');
});

describe('an account that PolyAI denies calls of which it has shown', () => {
  const DENIES = 'PolyAI denies calls that it has shown';

  it('is failing after 10 s of it, says so once, and is ok again with the first status', () => {
    const denying = account();
    const { health, polls, lines } = denying;
    polls(1, 'status');
    denied(10, denying);
    expect(health).toMatchObject({ state: 'ok', isProven: true, isTrusted: false });
    denied(10, denying);
    polls(5, 'not_found', 'HTTP 404', 'never seen');
    expect(health.text).toBe(`failing: ${DENIES}`);
    polls(1, 'status');
    expect(health).toMatchObject({ state: 'ok', isTrusted: true });
    expect(lines).toMatchObject([
      { level: WARN, msg: 'polls of the account fail', reason: DENIES },
      { msg: 'polls of the account are answered again' },
    ]);
  });

  it('is failing though no poll comes any more', () => {
    const denying = account();
    denying.polls(1, 'status');
    denied(2, denying);
    passes(15_000);
    expect(denying.health.text).toBe(`failing: ${DENIES}`);
  });

  it('is ok where it is one call, or others are shown meanwhile', () => {
    const one = account();
    one.polls(1, 'status');
    denied(30, one, 'forgotten');
    expect(one.health).toMatchObject({ state: 'ok', isTrusted: false });
    const several = account();
    for (let n = 0; n < 10; n++) {
      denied(5, several);
      several.polls(1, 'status');
    }
    expect(several.health.state).toBe('ok');
    expect([...one.lines, ...several.lines]).toEqual([]);
  });

  it('is unproven where it was configured to be elsewhere', () => {
    const elsewhere = account();
    elsewhere.polls(1, 'status');
    elsewhere.health.begin();
    denied(20, elsewhere);
    expect(elsewhere.health.state).toBe('unproven');
  });
});
