import type { Logger } from 'pino';
import type { Observation } from '../call/call.ts';
import type { PaceSettings } from '../call/pace.ts';
import type { Clock } from '../clock.ts';
import type { Answer } from '../polyai/answer.ts';
import type { PolyAiApi, Scope } from '../polyai/api.ts';
import type { PolyAiClient, Trigger } from '../polyai/polyai-client.ts';
import { PolyAiError } from '../polyai/polyai-error.ts';
import { AccountHealth } from './account-health.ts';
import type { Slot } from './line.ts';
import { Pause } from './pause.ts';
import type { PollResult } from './poll-signs.ts';
import type { RateLimit } from './rate-limit.ts';

/** How an account reaches PolyAI. It is replaced when the configuration is read again. */
export interface Connection {
  readonly api: PolyAiApi;
  readonly scope: Scope;
  readonly token: string;
  readonly pace: PaceSettings;
  /** As configured; null: no limit is known. */
  readonly maxRequestsPerSecond: number | null;
  readonly client: PolyAiClient;
}

/** What is measured of an account's polls. */
export interface PollMetrics {
  polled(account: string, result: PollResult, ms: number): void;
  /** The time between two polls of one call. */
  interval(account: string, ms: number): void;
}

/**
 * A PolyAI account, which all its calls share. Where PolyAI refuses its token (401, 403), and not one call alone, the
 * account is paused: all its calls wait, and one poll in 30 s is made as a probe. A 429 slows all calls of the account
 * down.
 */
export interface Account {
  readonly name: string;
  readonly paused: boolean;
  /** How its polls go. */
  readonly health: Pick<
    AccountHealth,
    'state' | 'isProven' | 'isTrusted' | 'contradicted' | 'join' | 'leave'
  >;
  /** The same as readiness tells it: `ok`, `limited` while PolyAI's 429s hold polls up, or what is wrong. */
  readonly condition: string;
  readonly connection: Connection;
  readonly limit: RateLimit;
  /** As `RateLimit.slot`. While the account is paused no poll waits, since `getStatus` makes but one probe in 30 s. */
  slot(dueAt: number, until: number, signal: AbortSignal): Promise<Slot | null>;
  /**
   * As `PolyAiClient.getStatus`; throws `AccountPausedError` without asking while the account is paused. Gives the slot
   * back.
   */
  getStatus(
    callSid: string,
    slot: Slot,
    signal: AbortSignal,
    before: Observation | null,
  ): Promise<Observation>;
  /**
   * As `PolyAiClient.askStatus`. It is charged to the rate limit and does not wait for it: its caller waits already.
   */
  askStatus(callSid: string): Promise<{ answer: Answer; result: Observation | PolyAiError }>;
  /** As `PolyAiClient.trigger`; charged to the rate limit likewise. */
  trigger(trigger: Trigger): Promise<Answer>;
  /** Milliseconds until the next probe is due; 0 while the account is not paused. */
  msToProbe(): number;
  /**
   * Sleeps in a paused account. Resolves true where its polls may go on before so many milliseconds have passed and the
   * signal is aborted, and false where they may not.
   */
  sleepPaused(ms: number, signal: AbortSignal): Promise<boolean>;
  /**
   * Asks over another connection from now on. Where it is to elsewhere (another URL, API or token), what was learnt of
   * the last one counts no more. A paused account is probed with its next poll.
   */
  reconnect(connection: Connection, isElsewhere: boolean): void;
}

interface AccountOptions {
  name: string;
  connection: Connection;
  limit: RateLimit;
  metrics: PollMetrics;
  clock: Clock;
  log: Logger;
}

export function createAccount(options: AccountOptions): Account {
  const { name, limit, metrics, clock, log } = options;
  let { connection } = options;
  const health = new AccountHealth({
    ...{ account: name, clock, log },
    intervalMaxMs: () => connection.pace.intervalMaxMs,
  });
  const pause = new Pause(clock);

  async function getStatus(
    callSid: string,
    slot: Slot,
    signal: AbortSignal,
    before: Observation | null,
  ): Promise<Observation> {
    const asked = connection;
    const askedAt = clock.monotonic();
    try {
      if (health.state === 'paused') {
        if (pause.msToProbe > 0) throw new AccountPausedError(name);
        pause.postpone();
      }
      const observation = await asked.client.getStatus(callSid, signal, before);
      learn(asked, callSid, 'status', askedAt);
      return observation;
    } catch (error) {
      if (error instanceof PolyAiError) learn(asked, callSid, error, askedAt);
      throw error;
    } finally {
      slot.giveBack();
    }
  }

  async function askStatus(callSid: string) {
    limit.charge();
    const asked = connection;
    const askedAt = clock.monotonic();
    try {
      const told = await asked.client.askStatus(callSid);
      const { result } = told;
      learn(asked, callSid, result instanceof PolyAiError ? result : 'status', askedAt);
      return told;
    } catch (error) {
      if (error instanceof PolyAiError) learn(asked, callSid, error, askedAt);
      throw error;
    }
  }

  async function trigger(trigger: Trigger): Promise<Answer> {
    limit.charge();
    const askedAt = clock.monotonic();
    const answer = await connection.client.trigger(trigger);
    // Its `Retry-After` is for the caller to obey: PolyAI may limit polls apart from triggers.
    if (answer.statusCode === 429) limit.tooMany(null, askedAt);
    else if (answer.statusCode < 500) limit.accepted(askedAt);
    return answer;
  }

  function learn(asked: Connection, callSid: string, result: 'status' | PolyAiError, askedAt: number): void {
    const code = result === 'status' ? result : result.code;
    metrics.polled(name, code, clock.monotonic() - askedAt);
    limitBy(result, askedAt);
    // An answer to a token that was replaced meanwhile says nothing of the present one.
    if (asked !== connection) return;
    const wasPaused = health.state === 'paused';
    if (code === 'unauthorized' && !wasPaused) pause.postpone();
    health.learn(code, result === 'status' ? '' : result.message, callSid);
    if (wasPaused && health.state !== 'paused') pause.end();
  }

  function limitBy(result: 'status' | PolyAiError, askedAt: number): void {
    if (result === 'status') return limit.accepted(askedAt);
    const { code, retryAfterMs } = result;
    if (code === 'too_many') limit.tooMany(retryAfterMs, askedAt);
    else if (code !== 'unavailable' && code !== 'unreachable') limit.accepted(askedAt);
  }

  return {
    name,
    get paused() {
      return health.state === 'paused';
    },
    health,
    get condition() {
      const isLimited = limit.waiting > 0 && limit.rate < (connection.maxRequestsPerSecond ?? Infinity);
      return health.state === 'ok' && isLimited ? 'limited' : health.text;
    },
    get connection() {
      return connection;
    },
    limit,
    slot: (dueAt, until, signal) =>
      health.state === 'paused'
        ? Promise.resolve(signal.aborted ? null : UNLIMITED)
        : limit.slot(dueAt, until, signal),
    getStatus,
    askStatus,
    trigger,
    msToProbe: () => (health.state === 'paused' ? pause.msToProbe : 0),
    sleepPaused: (ms, signal) =>
      health.state === 'paused' ? pause.sleep(ms, signal) : Promise.resolve(!signal.aborted),
    reconnect(next, isElsewhere) {
      connection = next;
      if (isElsewhere) health.begin();
      // The next poll finds out whether PolyAI takes the new token.
      pause.end();
    },
  };
}

/** Of a paused account, which is not asked but by probes. */
const UNLIMITED: Slot = { giveBack() {} };

/** No poll was made, because the account is paused and its next probe is not due. */
export class AccountPausedError extends Error {
  override readonly name = 'AccountPausedError';
  readonly code = 'account_paused';

  constructor(account: string) {
    super(`account ${account} is paused`);
  }
}
