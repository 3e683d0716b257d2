import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type RedisServer, spawnRedisServer } from '../support/redis-server.ts';
import { Turns } from './deadline.ts';
import type { IncidentLog } from './incidents.ts';

const REFUSE: Record<Refusal, Record<'begin' | 'end', [string, ...string[]]>> = {
  OOM: { begin: ['CONFIG', 'SET', 'maxmemory', '1'], end: ['CONFIG', 'SET', 'maxmemory', '0'] },
  // Nobody listens there: what it has it keeps.
  READONLY: { begin: ['REPLICAOF', '127.0.0.1', '1'], end: ['REPLICAOF', 'NO', 'ONE'] },
};

/** What BullMQ keeps of a queue that holds no job. */
const OF_AN_EMPTY_QUEUE = new Set(['meta', 'id', 'events', 'marker', 'stalled-check']);

/** Its memory is full, or it follows another Redis. */
export type Refusal = 'OOM' | 'READONLY';

/** A real Redis that stays on its port and keeps nothing. */
export interface ChaosRedis {
  readonly url: string;
  flush(): Promise<void>;
  /** Answers and reads as ever, and takes no write. */
  refuse(by: Refusal, forMs: number): Promise<void>;
  /** Breaks all connections. */
  cut(): Promise<void>;
  /** Killed, and back on its port with nothing in it. */
  goAway(forMs: number): Promise<void>;
  /** Keys of jobs, and of the lists and sets they are in. */
  leftovers(): Promise<string[]>;
  dispose(): Promise<void>;
}

export async function startChaosRedis(incidents: IncidentLog): Promise<ChaosRedis> {
  let server: RedisServer = await spawnRedisServer();
  const { url, port } = server;
  const turns = new Turns();

  return {
    url,
    flush: () =>
      turns.take(async () => {
        incidents.note('redis flushed');
        await ask(url, (redis) => redis.flushall());
      }),
    refuse: (by, forMs) =>
      turns.take(async () => {
        const back = incidents.begin('redis refusing', by, `for ${forMs} ms`);
        await ask(url, (redis) => redis.call(...REFUSE[by].begin));
        await sleep(forMs);
        await ask(url, (redis) => redis.call(...REFUSE[by].end)).finally(back);
      }),
    cut: () =>
      turns.take(async () => {
        incidents.note('redis cut');
        await ask(url, (redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'normal'));
      }),
    goAway: (forMs) =>
      turns.take(async () => {
        const back = incidents.begin('redis away', '', `for ${forMs} ms, all lost`);
        await server.kill();
        await sleep(forMs);
        server = await spawnRedisServer({ port }).finally(back);
      }),
    leftovers: () =>
      ask(url, async (redis) => {
        const keys = await redis.keys('*');
        return keys.filter((key) => {
          const [, , part, ...name] = key.split(':');
          // A probe, and what processes tell each other of a rate limit, are of no call, and expire.
          return part === 'calls' && !OF_AN_EMPTY_QUEUE.has(name.join(':'));
        });
      }),
    dispose: () => turns.take(() => server.kill()),
  };
}

async function ask<Answer>(url: string, question: (redis: Redis) => Promise<Answer>): Promise<Answer> {
  const redis = new Redis(url, { maxRetriesPerRequest: 3, commandTimeout: 5_000 });
  redis.on('error', () => {});
  try {
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}
