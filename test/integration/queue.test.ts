import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, inject, it } from 'vitest';
import type { FailureStreak } from '../../src/call/verdict.ts';
import type { Follow, FollowResult, HandedOn } from '../../src/follow/lease.ts';
import { createBullmqQueue } from '../../src/queue/bullmq.ts';
import type { CallQueue } from '../../src/queue/call-queue.ts';
import { createInProcessQueue } from '../../src/queue/in-process.ts';
import { Leases } from '../../src/queue/leases.ts';
import { silentLog as log } from '../support/log.ts';

const done: FollowResult = { kind: 'done' };
const handBack = (dueInMs: number, streak: FailureStreak | null = null): FollowResult => ({
  kind: 'handBack',
  handOn: { dueInMs, streak, changedAfter: null, sinceAskedMs: null },
});
const untilAborted = (signal: AbortSignal) => sleep(60_000, undefined, { signal }).catch(() => {});

const open: CallQueue[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((queue) => queue.close()));
});

interface Settings {
  concurrency?: number;
  yieldAfterMs?: number;
  prefix?: string;
}

function inProcess({ concurrency = 100, yieldAfterMs = 60_000 }: Settings = {}): CallQueue {
  return opened(createInProcessQueue({ concurrency, yieldAfterMs }));
}

function bullmq(settings: Settings = {}): CallQueue {
  const { concurrency = 100, yieldAfterMs = 60_000, prefix = `test-${randomUUID()}` } = settings;
  return opened(createBullmqQueue({ redisUrl: inject('redisUrl'), prefix, concurrency, yieldAfterMs, log }));
}

function opened(queue: CallQueue): CallQueue {
  open.push(queue);
  return queue;
}

describe.each([
  ['in-process', inProcess],
  ['bullmq', bullmq],
])('the %s queue', (_, create) => {
  it('has each enqueued call followed once, until it is done', async () => {
    const queue = create();
    const leases: string[] = [];
    await queue.work(async (callSid) => {
      leases.push(callSid);
      return done;
    });
    const callSids = Array.from({ length: 250 }, (_, n) => `call-${n}`);
    await queue.enqueue([...callSids, ...callSids]);
    await expect.poll(() => leases.length).toBe(250);
    expect(new Set(leases)).toEqual(new Set(callSids));
  });

  it('takes any callSid', async () => {
    const queue = create();
    const odd = [
      '12345',
      'a:b',
      'a:b:c',
      'NaN',
      '-5',
      'wait',
      'id',
      'meta',
      'marker',
      '-_.:~',
      'x'.repeat(200),
    ];
    const followed: string[] = [];
    await queue.work(async (callSid) => {
      followed.push(callSid);
      return done;
    });
    await queue.enqueue(odd);
    await expect.poll(() => [...followed].sort()).toEqual([...odd].sort());
  });

  it('leaves a call that it has as it is', async () => {
    const queue = create();
    let active = 0;
    let most = 0;
    await queue.work(async (_callSid, _handedOn, signal) => {
      most = Math.max(most, ++active);
      await untilAborted(signal);
      active--;
      return handBack(0);
    });
    await queue.enqueue(['twice']);
    await expect.poll(() => active).toBe(1);
    await queue.enqueue(['twice']);
    await queue.enqueue(['other']);
    await expect.poll(() => active).toBe(2);
    expect(most).toBe(2);
  });

  it('takes a call up again at once, with what was handed on, and again after it is done', async () => {
    const queue = create();
    const streak: FailureStreak = { failures: 3, code: 'unavailable', sameKind: 3, sameKindMs: 4_000 };
    const leases: (HandedOn | null)[] = [];
    const results = [handBack(20, streak), handBack(20), handBack(20), done, done];
    await queue.work(async (_callSid, handedOn) => {
      leases.push(handedOn);
      return results[leases.length - 1] ?? done;
    });
    await queue.enqueue(['again']);
    await expect.poll(() => leases.length).toBe(4);
    const plain = { dueInMs: 20, streak: null, changedAfter: null, sinceAskedMs: null };
    expect(leases).toEqual([null, { ...plain, streak }, plain, plain]);
    // It takes a moment until the queue itself has let go of a call that is done.
    await expect
      .poll(async () => {
        await queue.enqueue(['again']);
        return leases.length;
      })
      .toBe(5);
    expect(leases[4]).toBeNull();
  });

  it('follows no more calls at once than it may, and the others when there is room', async () => {
    const queue = create({ concurrency: 5 });
    let active = 0;
    let most = 0;
    let finished = 0;
    await queue.work(async () => {
      most = Math.max(most, ++active);
      await sleep(5);
      active--;
      finished++;
      return done;
    });
    await queue.enqueue(Array.from({ length: 40 }, (_, n) => `call-${n}`));
    await expect.poll(() => finished).toBe(40);
    expect(most).toBeLessThanOrEqual(5);
  });

  it('when it is full has the oldest leases yield to calls that wait, and takes them up again', async () => {
    const queue = create({ concurrency: 4, yieldAfterMs: 100 });
    const leases: string[] = [];
    await queue.work(async (callSid, _handedOn, signal) => {
      leases.push(callSid);
      await untilAborted(signal);
      return handBack(0);
    });
    await queue.enqueue(['a', 'b', 'c', 'd']);
    await expect.poll(() => [...leases].sort()).toEqual(['a', 'b', 'c', 'd']);
    await queue.enqueue(['new']);
    await expect.poll(() => leases).toContain('new');
    await expect.poll(() => leases.slice(5).includes(leases[0] ?? '')).toBe(true);
  });

  it('has no lease yield where those that wait could not begin', async () => {
    const queue = create({ concurrency: 1, yieldAfterMs: 0 });
    const leases: string[] = [];
    let asked = 0;
    let mayYield = false;
    const follow: Follow = async (callSid, _handedOn, signal) => {
      leases.push(callSid);
      await untilAborted(signal);
      return handBack(0);
    };
    await queue.work(follow, () => {
      asked++;
      return mayYield;
    });
    await queue.enqueue(['a']);
    await expect.poll(() => leases).toEqual(['a']);
    await queue.enqueue(['b']);
    await expect.poll(() => asked).toBeGreaterThan(2);
    expect(leases).toEqual(['a']);
    mayYield = true;
    await expect.poll(() => leases).toContain('b');
  });

  it('on closing aborts its followers, waits until they have handed back, and starts no more', async () => {
    const queue = create({ concurrency: 3 });
    const started: string[] = [];
    const returned: string[] = [];
    const follow: Follow = async (callSid, _handedOn, signal) => {
      started.push(callSid);
      await untilAborted(signal);
      await sleep(20);
      returned.push(callSid);
      return handBack(0);
    };
    await queue.work(follow);
    await queue.enqueue(['a', 'b', 'c']);
    await expect.poll(() => started.length).toBe(3);
    await queue.close();
    expect([...returned].sort()).toEqual(['a', 'b', 'c']);
    expect(started).toHaveLength(3);
  });

  it('forgets a call that waits when it is removed', async () => {
    const queue = create({ concurrency: 1 });
    const followed: string[] = [];
    const release = new AbortController();
    await queue.work(async (callSid) => {
      followed.push(callSid);
      if (callSid === 'first') await untilAborted(release.signal);
      return done;
    });
    await queue.enqueue(['first']);
    await expect.poll(() => followed).toEqual(['first']);
    await queue.enqueue(['removed', 'last']);
    await queue.remove('removed');
    release.abort();
    await expect.poll(() => followed).toEqual(['first', 'last']);
  });
});

it('the leases of a process: one that is begun anew ends the one before, and its end is not the new one’s', () => {
  const leases = new Leases({ atMost: 1, yieldAfterMs: 0 });
  const first = leases.begin('a', 'token 1');
  const second = leases.begin('a', 'token 2');
  expect([first.ending.signal.aborted, second.ending.signal.aborted]).toEqual([true, false]);
  leases.end(first);
  expect(leases.all()).toEqual([second]);
  leases.abort('a');
  expect(second.ending.signal.aborted).toBe(true);
  leases.end(second);
  expect(leases.all()).toEqual([]);
});

describe('the bullmq queue, over several processes', () => {
  it('hands a call back to whichever worker is there', async () => {
    const prefix = `test-${randomUUID()}`;
    const [first, second] = [bullmq({ prefix }), bullmq({ prefix })];
    const leases: string[] = [];
    await first.work(async (callSid, _handedOn, signal) => {
      leases.push(`first ${callSid}`);
      await untilAborted(signal);
      return handBack(0);
    });
    await first.enqueue(['moved']);
    await expect.poll(() => leases).toEqual(['first moved']);
    await second.work(async (callSid) => {
      leases.push(`second ${callSid}`);
      return done;
    });
    await first.close();
    await expect.poll(() => leases).toEqual(['first moved', 'second moved']);
  });

  it('is filled by a process that follows nothing itself', async () => {
    const prefix = `test-${randomUUID()}`;
    const [api, worker] = [bullmq({ prefix }), bullmq({ prefix })];
    await api.enqueue(['early']);
    const followed: string[] = [];
    await worker.work(async (callSid) => {
      followed.push(callSid);
      return done;
    });
    await api.enqueue(['late']);
    await expect.poll(() => [...followed].sort()).toEqual(['early', 'late']);
  });

  it('leaves nothing of a call in Redis when it is done', async () => {
    const prefix = `test-${randomUUID()}`;
    const queue = bullmq({ prefix });
    let leases = 0;
    await queue.work(async () => (++leases <= 20 ? handBack(1) : done));
    await queue.enqueue(Array.from({ length: 20 }, (_, n) => `gone-${n}`));
    await expect.poll(() => leases).toBe(40);
    const redis = new Redis(inject('redisUrl'));
    try {
      await expect.poll(async () => (await redis.keys(`${prefix}:*gone*`)).length).toBe(0);
      await expect.poll(() => redis.llen(`${prefix}:calls:active`)).toBe(0);
      for (const state of ['completed', 'failed', 'delayed']) {
        expect(await redis.zcard(`${prefix}:calls:${state}`)).toBe(0);
      }
    } finally {
      redis.disconnect();
    }
  });

  it('says at once that it is down, and refuses to enqueue, where there is no Redis', async () => {
    const options = { prefix: 'x', concurrency: 1, yieldAfterMs: 1, log };
    const queue = opened(createBullmqQueue({ ...options, redisUrl: 'redis://127.0.0.1:1' }));
    expect(await queue.state()).toBe('down');
    await expect(queue.enqueue(['a'])).rejects.toMatchObject({ code: 'queue_unavailable' });
    await expect(queue.requeue(['a'])).rejects.toMatchObject({ code: 'queue_unavailable' });
  });
});
