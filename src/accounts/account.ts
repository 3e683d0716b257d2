import type { Logger } from 'pino';
import type { Observation } from '../call/call.ts';
import type { PaceSettings } from '../call/pace.ts';
import type { Clock } from '../clock.ts';
import type { Answer } from '../polyai/answer.ts';
import type { PolyAiApi, Scope } from '../polyai/api.ts';
import type { PolyAiClient, Trigger } from '../polyai/polyai-client.ts';
import { PolyAiError } from '../polyai/polyai-error.ts';
import type { RateLimit } from './rate-limit.ts';

const PROBE_EVERY_MS = 30_000;

/** How an account reaches PolyAI. It is replaced when the configuration is read again. */
export interface Connection {
  readonly api: PolyAiApi;
  readonly scope: Scope;
  readonly token: string;
  readonly pace: PaceSettings;
  readonly client: PolyAiClient;
}

export type PollResult = 'status' | PolyAiError['code'];

/** Where polls are counted and timed. */
export interface PollMetrics {
  polled(account: string, result: PollResult, ms: number): void;
  /** The time between two polls of one call. */
  interval(account: string, ms: number): void;
}

/**
 * A PolyAI account, which all its calls share. A 401 or 403 says nothing about the call that was asked for: PolyAI
 * refuses the account's token. Then the account is paused: all its calls wait, and one poll in 30 s is made as a probe.
 * A 429 slows all calls of the account down.
 */
export interface Account {
  readonly name: string;
  readonly paused: boolean;
  readonly connection: Connection;
  readonly limit: RateLimit;
  /** As `RateLimit.slot`. While the account is paused no poll waits, since `getStatus` makes but one probe in 30 s. */
  slot(dueAt: number, until: number, signal: AbortSignal): Promise<boolean>;
  /** As `PolyAiClient.getStatus`; throws `AccountPausedError` without asking while the account is paused. */
  getStatus(callSid: string, signal: AbortSignal, before: Observation | null): Promise<Observation>;
  /**
   * As `PolyAiClient.askStatus`. It is charged to the rate limit and does not wait for it: its caller waits already.
   */
  askStatus(callSid: string): Promise<{ answer: Answer; result: Observation | PolyAiError }>;
  /** As `PolyAiClient.trigger`; charged to the rate limit likewise. */
  trigger(trigger: Trigger): Promise<Answer>;
  /** Milliseconds until the next probe is due; 0 while the account is not paused. */
  msToProbe(): number;
  /** Asks over another connection from now on. A paused account is probed with its next poll. */
  reconnect(connection: Connection): void;
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
  let paused = false;
  let probeAt = 0;

  async function getStatus(
    callSid: string,
    signal: AbortSignal,
    before: Observation | null,
  ): Promise<Observation> {
    if (paused) {
      if (clock.monotonic() < probeAt) throw new AccountPausedError(name);
      probeAt = clock.monotonic() + PROBE_EVERY_MS;
    }
    const asked = connection;
    const askedAt = clock.monotonic();
    try {
      const observation = await asked.client.getStatus(callSid, signal, before);
      learn(asked, 'status', null, askedAt);
      return observation;
    } catch (error) {
      if (error instanceof PolyAiError) learn(asked, error.code, error.retryAfterMs, askedAt);
      throw error;
    }
  }

  async function askStatus(callSid: string) {
    limit.charge();
    const asked = connection;
    const askedAt = clock.monotonic();
    const told = await asked.client.askStatus(callSid);
    const { result } = told;
    if (result instanceof PolyAiError) learn(asked, result.code, result.retryAfterMs, askedAt);
    else learn(asked, 'status', null, askedAt);
    return told;
  }

  async function trigger(trigger: Trigger): Promise<Answer> {
    limit.charge();
    const answer = await connection.client.trigger(trigger);
    // Its `Retry-After` is for the caller to obey: PolyAI may limit polls apart from triggers.
    if (answer.statusCode === 429) limit.tooMany(null);
    return answer;
  }

  /**
   * Pauses, resumes or slows the account by what PolyAI answered. An answer to a connection that was replaced meanwhile
   * neither pauses nor resumes it.
   */
  function learn(asked: Connection, result: PollResult, retryAfterMs: number | null, askedAt: number): void {
    metrics.polled(name, result, clock.monotonic() - askedAt);
    if (result === 'too_many') limit.tooMany(retryAfterMs);
    if (asked !== connection) return;
    if (result === 'unauthorized') setPaused(true);
    // Where PolyAI has a word on the call, it took the token.
    else if (result === 'status' || result === 'not_found' || result === 'rejected') setPaused(false);
  }

  function setPaused(next: boolean): void {
    if (next && !paused) probeAt = clock.monotonic() + PROBE_EVERY_MS;
    if (next === paused) return;
    paused = next;
    if (paused) log.error({ account: name }, 'account paused: PolyAI refuses its token');
    else log.info({ account: name }, 'account resumed: PolyAI takes its token again');
  }

  return {
    name,
    get paused() {
      return paused;
    },
    get connection() {
      return connection;
    },
    limit,
    slot: (dueAt, until, signal) =>
      paused ? Promise.resolve(!signal.aborted) : limit.slot(dueAt, until, signal),
    getStatus,
    askStatus,
    trigger,
    msToProbe: () => (paused ? Math.max(0, probeAt - clock.monotonic()) : 0),
    reconnect(next) {
      connection = next;
      probeAt = clock.monotonic();
    },
  };
}

/** No poll was made, because the account is paused and its next probe is not due. */
export class AccountPausedError extends Error {
  override readonly name = 'AccountPausedError';
  readonly code = 'account_paused';

  constructor(account: string) {
    super(`account ${account} is paused`);
  }
}
