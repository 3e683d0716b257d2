import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { batched } from '../archive/batch.ts';
import type { News } from '../archive/news.ts';
import { isUnreachable } from '../archive/sql-states.ts';
import { within } from '../clock.ts';
import { healthOf, outcomeOf, together } from './attempt.ts';
import { type Claim, type ClaimedWebhook, claimDeliveries } from './claims.ts';
import { messageOf } from './message.ts';
import type { Answer, Poster } from './post.ts';
import { keptOf } from './redaction.ts';
import { requestOf } from './request.ts';
import { type Health, type Outcome, writeHealth, writeOutcomes } from './results.ts';
import type { Secrets } from './secrets.ts';

/** What is measured of deliveries. */
export interface PushMetrics {
  attempted(result: Answer['result'], ms: number): void;
  /** From the event's commit to its first request. */
  lag(ms: number): void;
  disabled(reason: string): void;
}

export interface Sender {
  start(): void;
  /** Takes up no more, lets requests end for a moment, and hands back those that do not. */
  stop(): Promise<void>;
  /** Requests that are under way. */
  readonly underWay: number;
}

export interface SenderOptions {
  pool: Pool;
  news: Pick<News, 'listen'>;
  /** The archive's id. */
  archive: string;
  secrets: Secrets;
  poster: Poster;
  metrics: PushMetrics;
  log: Logger;
  /** How often Postgres is asked without news: for what is to be tried again, and since news may be lost. */
  lookEveryMs?: number;
  random?: () => number;
}

const LOOK_EVERY_MS = 1_000;
/** After a claim that Postgres did not take. */
const RETRY_MS = 1_000;
/** Between two claims: what becomes due meanwhile is claimed together. */
const GATHER_MS = 2;
/** What could not be written is written again, until its lease is over: then it is somebody else's. */
const WRITE_FOR_MS = 25_000;
const WRITE_AGAIN_MS = 500;
/** Of the end of a process, whose followers have more to write: what is not over by then is handed back. */
const END_WITHIN_MS = 700;
const HAND_BACK_WITHIN_MS = 500;

/**
 * Delivers what the archive has written down. Postgres is the queue: a process has in memory what it is delivering now,
 * and no more, so that neither a flushed Redis nor a killed process loses anything, and a backlog costs none.
 */
export function createSender({
  pool,
  news,
  archive,
  secrets,
  poster,
  metrics,
  log,
  lookEveryMs = LOOK_EVERY_MS,
  random = Math.random,
}: SenderOptions): Sender {
  const stopping = new AbortController();
  const aborting = new AbortController();
  const deliveries = new Set<Promise<void>>();
  const foreign = new Set<string>();
  const stopped = Promise.withResolvers<void>();
  let alarm = Promise.withResolvers<void>();
  let running: Promise<void> = Promise.resolve();
  /** Claims are refused. */
  let failing = false;
  /** What came of deliveries is. */
  let unwritten = false;
  const writeOutcome = batched(writeTogether, { atOnce: 2 });
  const writeHealthSoon = batched(writeHealthTogether, { atOnce: 1 });

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      alarm = Promise.withResolvers();
      const claims = await claim();
      for (const one of claims) track(deliver(one));
      if (claims.length > 0) await sleep(GATHER_MS);
      else await within(failing ? RETRY_MS : lookEveryMs, failing ? stopped.promise : alarm.promise);
    }
  }

  /** One line when it begins to fail, and one when it succeeds again. */
  async function claim(): Promise<Claim[]> {
    try {
      const claims = await claimDeliveries(pool, isOurs);
      if (failing) log.info('deliveries to webhooks are taken up again');
      failing = false;
      return claims;
    } catch (error) {
      // That Postgres is away is told once, by its health.
      if (isUnreachable(error)) return [];
      if (!failing) log.warn({ err: error }, 'no delivery to a webhook can be taken up: trying again');
      failing = true;
      return [];
    }
  }

  /** The next attempt says it again. */
  function tellOfHealth(error: unknown): void {
    log.warn({ err: error }, 'how a webhook does cannot be written');
  }

  /** To sign with another secret than the receiver was shown would be refused by it, again and again. */
  function isOurs(webhook: ClaimedWebhook): boolean {
    if (secrets.isOurs(webhook)) {
      foreign.delete(webhook.id);
      return true;
    }
    if (!foreign.has(webhook.id)) {
      log.error(
        { webhook: webhook.id },
        'WEBHOOKS_SECRET is another one than the secret of this webhook comes from: nothing is sent until it is rotated',
      );
      foreign.add(webhook.id);
    }
    return false;
  }

  /** One that fails by itself is a fault of ours: it is tried again when its lease ends. */
  function track(delivery: Promise<void>): void {
    const tracked = delivery
      .catch((error: unknown) => log.error({ err: error }, 'a delivery to a webhook cannot be made'))
      .finally(() => deliveries.delete(tracked));
    deliveries.add(tracked);
  }

  async function deliver(claimed: Claim): Promise<void> {
    const at = new Date();
    const begunAt = performance.now();
    if (claimed.attempts === 0) metrics.lag(claimed.ageMs);
    const message = messageOf(archive, claimed.told);
    const keys = secrets.keys(claimed.webhook, at);
    const answer = await poster.post(requestOf(claimed.webhook, message, keys, at), aborting.signal);
    if (answer.result !== 'stopped') metrics.attempted(answer.result, answer.ms);
    const health = healthOf(claimed, answer);
    if (health !== null) void writeHealthSoon(health).catch(tellOfHealth);
    const kept = { ...answer, text: keptOf(answer.text, keys) };
    await untilWritten(outcomeOf(claimed, kept, at, random), begunAt);
    alarm.resolve();
  }

  async function untilWritten(outcome: Outcome, begunAt: number): Promise<void> {
    while (performance.now() - begunAt < WRITE_FOR_MS) {
      try {
        await writeOutcome(outcome);
        if (unwritten) log.info('what comes of deliveries is written again');
        unwritten = false;
        return;
      } catch (error) {
        tellOfUnwritten(error);
        if (aborting.signal.aborted) return;
        await sleep(WRITE_AGAIN_MS);
      }
    }
  }

  /** One line when it begins to fail. */
  function tellOfUnwritten(error: unknown): void {
    // That Postgres is away is told once, by its health.
    if (isUnreachable(error)) return;
    if (!unwritten) log.warn({ err: error }, 'what came of deliveries cannot be written: trying again');
    unwritten = true;
  }

  async function writeTogether(outcomes: readonly Outcome[]): Promise<undefined[]> {
    await writeOutcomes(pool, outcomes);
    return outcomes.map(() => undefined);
  }

  async function writeHealthTogether(health: readonly Health[]): Promise<undefined[]> {
    for (const { id, reason, failingSince } of await writeHealth(pool, together(health))) {
      metrics.disabled(reason);
      log.warn({ webhook: id, reason, failingSince }, 'a webhook was disabled');
    }
    return health.map(() => undefined);
  }

  return {
    start() {
      news.listen(() => alarm.resolve(), 'deliveries');
      running = run();
    },
    async stop() {
      stopping.abort();
      stopped.resolve();
      alarm.resolve();
      await within(END_WITHIN_MS, Promise.all([running, ...deliveries]));
      aborting.abort();
      await within(HAND_BACK_WITHIN_MS, Promise.all(deliveries));
    },
    get underWay() {
      return deliveries.size;
    },
  };
}
