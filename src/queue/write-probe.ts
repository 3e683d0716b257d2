import type { Logger } from 'pino';
import { within } from '../clock.ts';
import { isReplyError } from '../network/redis-errors.ts';
import { QueueUnavailableError } from './call-queue.ts';
import { firstAttempt, isReady, type RedisConnection } from './redis.ts';

interface WriteProbeOptions {
  /** Without an offline queue: a probe that waited for Redis to be back would tell of the past. */
  redis: RedisConnection;
  /** The probe's own. */
  key: string;
  /** Of the queue: two lists, two sorted sets, and a hash. */
  jobKeys: readonly string[];
  /** As `redisPlaceOf` names it, for the log. */
  server?: string;
  log: Logger;
}

/**
 * Whether Redis takes what calls need. One that answers a ping and refuses that (its memory is full, it became a replica,
 * its disk fails, it allows no scripts) is down. Each change is logged once, with what Redis said.
 */
export interface WriteProbe {
  /** As the last probe found it; true before the first one is over. */
  readonly isUp: boolean;
  /** Probes now, or joins the probe that runs. Ends within about a second, and never rejects. */
  check(): Promise<boolean>;
  /**
   * To be told that Redis refused something that calls need. Probes at once. Where Redis takes writes nevertheless, that
   * is no change of state, so it is logged here, once a minute at most.
   */
  refused(doing: string, error: unknown): void;
  /** Called when Redis is found down. */
  onDown: (() => void) | null;
  stop(): void;
}

const PROBE_EVERY_MS = 5_000;
const PATIENCE_MS = 1_000;
/** So that the key of a deployment that is gone goes too. */
const KEY_TTL_MS = 60_000;
const SAY_REFUSED_EVERY_MS = 60_000;
/** What was sent before Redis was back may be answered after the probe was. */
const LATE_ANSWER_MS = 2_000;

/**
 * What calls need of Redis, as BullMQ asks for it: a script that writes, with all keys of the queue at hand, each of its
 * own type. A Redis may take a plain write and refuse that: where its ACL allows no scripts, or the keys are in two slots
 * of a cluster, or one was overwritten.
 */
const PROBE = `
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
redis.call('LLEN', KEYS[2])
redis.call('LLEN', KEYS[3])
redis.call('ZCARD', KEYS[4])
redis.call('ZCARD', KEYS[5])
redis.call('HLEN', KEYS[6])`;

/** The first key is written, the others are those of a queue. Rejects with what Redis says. */
export async function writeAsJobsDo(redis: RedisConnection, keys: readonly string[]): Promise<void> {
  await redis.eval(PROBE, keys.length, ...keys, KEY_TTL_MS);
}

export function createWriteProbe({ redis, key, jobKeys, server, log }: WriteProbeOptions): WriteProbe {
  let isUp = true;
  let running: Promise<boolean> | null = null;
  let stopped = false;
  let saidRefusedAt = Number.NEGATIVE_INFINITY;
  let backSince = Number.NEGATIVE_INFINITY;
  /** Why there is no connection; null where there is one. */
  let whyAway: Error | null = null;
  redis.on('error', (error: Error) => {
    whyAway = error;
  });
  redis.on('ready', () => {
    whyAway = null;
  });

  function check(): Promise<boolean> {
    running ??= probe().finally(() => {
      running = null;
    });
    return running;
  }

  async function probe(): Promise<boolean> {
    const refusal = await writeRefusal();
    if (!stopped) tell(refusal);
    return refusal === null;
  }

  /** What Redis refuses a write with; null where it takes it. */
  async function writeRefusal(): Promise<Error | null> {
    const written = write();
    if (!(await within(PATIENCE_MS, written)))
      return whyAway ?? new QueueUnavailableError('Redis does not answer');
    return written.then(
      () => null,
      (error: Error) => whyAway ?? error,
    );
  }

  /** A connection that was just lost may be back in a moment; if not, its next attempt says why. */
  async function write(): Promise<void> {
    if (!isReady(redis) && whyAway === null) await firstAttempt(redis);
    try {
      await set();
    } catch (error) {
      if (whyAway !== null || isReplyError(error)) throw error;
      await firstAttempt(redis);
      await set();
    }
  }

  async function set(): Promise<void> {
    await writeAsJobsDo(redis, [key, ...jobKeys]);
  }

  function tell(refusal: Error | null): void {
    const wasUp = isUp;
    isUp = refusal === null;
    if (isUp === wasUp) return;
    if (isUp) {
      backSince = performance.now();
      return log.info('Redis is back: it takes writes');
    }
    log.warn({ server, err: refusal }, 'Redis takes no writes: calls are followed on without it');
    probed.onDown?.();
  }

  async function sayRefused(doing: string, error: unknown): Promise<void> {
    log.debug({ err: error, doing }, 'Redis refused');
    if (!(await check()) || stopped) return;
    const now = performance.now();
    if (now - backSince < LATE_ANSWER_MS || now - saidRefusedAt < SAY_REFUSED_EVERY_MS) return;
    saidRefusedAt = now;
    log.warn({ err: error, doing }, 'Redis takes writes, but refused this one');
  }

  const timer = setInterval(check, PROBE_EVERY_MS);
  void check();

  const probed: WriteProbe = {
    get isUp() {
      return isUp;
    },
    check,
    refused: (doing, error) => void sayRefused(doing, error),
    onDown: null,
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
  return probed;
}
