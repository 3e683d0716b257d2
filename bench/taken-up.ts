import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { archiveId } from '../src/archive/identity.ts';

const LOOK_EVERY_MS = 100;
const TAKEN_UP_WITHIN_MS = 60_000;

/** Resolves once the workers follow so many calls, as the queue in Redis has it. */
export async function allTakenUp(
  { databaseUrl, redisUrl }: { databaseUrl: string; redisUrl: string },
  calls: number,
): Promise<void> {
  const active = `polykeep:{${await archiveId(databaseUrl)}}:calls:active`;
  const redis = new Redis(redisUrl);
  const deadline = performance.now() + TAKEN_UP_WITHIN_MS;
  try {
    while ((await redis.llen(active)) < calls) {
      if (performance.now() > deadline) throw new Error(`not all of ${calls} calls were taken up`);
      await sleep(LOOK_EVERY_MS);
    }
  } finally {
    redis.disconnect();
  }
}
