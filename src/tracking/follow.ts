import type { Logger } from 'pino';
import type { Lifecycle, Outcome, Sighting, TrackedCall } from '../archive/call.ts';
import { ArchiveClosedError } from '../archive/errors.ts';
import { PolyAiError } from '../polyai/errors.ts';
import type { Observation } from '../polyai/observation.ts';
import { type Account, AccountPausedError, type PollMetrics } from './account.ts';
import type { Accounts } from './accounts.ts';
import type { Clock, Sleep } from './clock.ts';
import { backoffDelay, firstPollDelay, leaseLength, nextPollDelay, type PaceSettings } from './pace.ts';
import { Recorder, type ReportingArchive } from './recorder.ts';
import {
  extendStreak,
  type FailureStreak,
  type FollowedCall,
  isOverdue,
  type VerdictLimits,
  verdict,
} from './verdict.ts';

/** What one lease hands on to the next. A hint: without it the call is followed as if taken over afresh. */
export interface HandedOn {
  /** Until the next poll; not a time of day, which may jump. Negative: so long it has waited for its turn already. */
  dueInMs: number;
  streak: FailureStreak | null;
  /** When the last successful poll was asked (ISO 8601): a change that is seen later happened after that. */
  changedAfter: string | null;
}

export type FollowResult =
  /** Settled, or erased: nothing is left to follow. */
  | { kind: 'done' }
  /** The lease ended or the signal was aborted: to be followed on at once, by whoever it may be. */
  | { kind: 'handBack'; handOn: HandedOn };

/**
 * Follows one call for one lease: poll, record, sleep. `handedOn` is null where the call is new or was taken over
 * without a word. Never rejects: a follower that breaks off hands its call back after a while.
 */
export type Follow = (
  callSid: string,
  handedOn: HandedOn | null,
  signal: AbortSignal,
) => Promise<FollowResult>;

/** The pace is the slowest of any account's. */
export interface FollowSettings extends PaceSettings, VerdictLimits {
  leaseMs: number;
  pollTimeoutMs: number;
}

export interface FollowerOptions {
  accounts: Pick<Accounts, 'get'>;
  metrics: PollMetrics;
  archive: ReportingArchive;
  lifecycle: Lifecycle;
  settings: FollowSettings;
  clock: Clock;
  random: () => number;
  log: Logger;
}

/** How long after it was handed back a call may be taken up before the sweeper steps in. */
const PICK_UP_MS = 10_000;
const AFTER_ERROR_MS = 5_000;
/** So many reports of one call wait for Postgres; where there are more, polling waits too. */
const MAX_UNWRITTEN = 50;

export function createFollower(options: FollowerOptions): Follow {
  const { archive, settings, random, clock, accounts, log } = options;

  async function followForOneLease(
    callSid: string,
    handedOn: HandedOn | null,
    signal: AbortSignal,
  ): Promise<FollowResult> {
    const leaseMs = leaseLength(settings.leaseMs, random);
    const leaseEnd = clock.monotonic() + leaseMs;
    const followForMs = leaseMs + settings.intervalMaxMs + settings.pollTimeoutMs;
    const call = await archive.report({ callSid, followForMs });
    if (call === null || call.state.outcome !== null) return { kind: 'done' };

    const account = accounts.get(call.account);
    if (account === undefined) {
      log.error({ callSid, account: call.account }, 'call waits: its account is not configured');
      await clock.sleep(leaseMs, signal);
      return { kind: 'handBack', handOn: handOnAgain(handedOn) };
    }
    return new Following(options, account, call, handedOn).until(leaseEnd, signal);
  }

  return async function follow(callSid, handedOn, signal) {
    try {
      return await followForOneLease(callSid, handedOn, signal);
    } catch (error) {
      if (!(error instanceof ArchiveClosedError)) log.error({ callSid, err: error }, 'follower broke off');
      await clock.sleep(AFTER_ERROR_MS, signal);
      return { kind: 'handBack', handOn: handOnAgain(handedOn) };
    }
  };
}

function handOnAgain(handedOn: HandedOn | null): HandedOn {
  return { streak: null, changedAfter: null, ...handedOn, dueInMs: 0 };
}

/** One call under one lease. */
class Following {
  readonly #options: FollowerOptions;
  readonly #account: Account;
  readonly #callSid: string;
  readonly #recorder: Recorder;
  readonly #startedAt: number;
  readonly #trackedMs: number;
  #polls: number;
  #streak: FailureStreak | null;
  #failedAt: number | null = null;
  #statusSince: number;
  #changedAfter: Date | null;
  #nextPollAt: number;
  #lastAskedAt: number | null = null;
  #lastBody: string | null = null;

  constructor(options: FollowerOptions, account: Account, call: TrackedCall, handedOn: HandedOn | null) {
    const { archive, clock, settings, random } = options;
    const { pace } = account.connection;
    this.#options = options;
    this.#account = account;
    this.#callSid = call.callSid;
    this.#recorder = new Recorder(archive, call);
    this.#trackedMs = call.trackedMs;
    this.#polls = call.polls;
    this.#startedAt = clock.monotonic();
    this.#statusSince = this.#startedAt - call.trackedMs;
    this.#changedAfter = lastAskedAt(call, handedOn, settings);
    this.#streak = handedOn?.streak ?? null;
    this.#failedAt = this.#streak === null ? null : this.#startedAt;
    this.#nextPollAt = this.#startedAt + (handedOn?.dueInMs ?? firstPollDelay(pace, random));
  }

  /** While what was seen cannot be written, the lease goes on: PolyAI may forget the call before Postgres is back. */
  async until(leaseEnd: number, signal: AbortSignal): Promise<FollowResult> {
    const sleep = this.#options.clock.sleeper(signal);
    for (let end = leaseEnd, patience = leaseEnd; ; end = this.#nextPollAt, patience = Infinity) {
      await this.#pollUntil(end, patience, signal, sleep);
      if (!this.#recorder.isOver) await this.#letGo(signal);
      if (this.#recorder.isOver) return { kind: 'done' };
      if (this.#recorder.unwritten === 0) {
        return { kind: 'handBack', handOn: this.#handOn() };
      }
    }
  }

  /** A poll that is still waiting for its turn when patience ends keeps its place: it is handed on as long overdue. */
  async #pollUntil(end: number, patience: number, signal: AbortSignal, sleep: Sleep): Promise<void> {
    while (!signal.aborted && this.#nextPollAt <= end) {
      await sleep(Math.max(0, this.#dueInMs()));
      if (signal.aborted || !(await this.#account.turn(this.#nextPollAt, patience, signal))) return;
      await this.#poll(signal);
      if (this.#recorder.unwritten > MAX_UNWRITTEN) await this.#recorder.written();
      if (this.#recorder.isOver) return;
    }
    await sleep(Math.max(0, end - this.#options.clock.monotonic()));
  }

  /** Writes the counters and a last promise; waits for it until the next poll is due. */
  async #letGo(signal: AbortSignal): Promise<void> {
    const { lastSeenAt } = this.#recorder.state;
    const dueInMs = Math.max(0, this.#dueInMs());
    const seen = this.#lastBody === null ? { lastSeenAt } : { lastSeenAt, lastBody: this.#lastBody };
    this.#recorder.send({ ...seen, followForMs: dueInMs + PICK_UP_MS });
    if (signal.aborted) return this.#recorder.written();
    const written = new AbortController();
    this.#recorder.onIdle = () => written.abort();
    await this.#options.clock.sleep(dueInMs, written.signal);
    this.#recorder.onIdle = null;
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const { clock, metrics } = this.#options;
    const askedAt = clock.now();
    const askedAtMs = clock.monotonic();
    if (this.#lastAskedAt !== null) metrics.interval(this.#account.name, askedAtMs - this.#lastAskedAt);
    this.#lastAskedAt = askedAtMs;
    try {
      const observation = await this.#account.getStatus(this.#callSid, signal);
      await this.#saw(observation, askedAt, askedAtMs);
    } catch (error) {
      if (error instanceof PolyAiError) await this.#failed(error);
      else if (error instanceof AccountPausedError) this.#waitForAccount();
      else if (!signal.aborted) throw error;
    }
  }

  async #saw(observation: Observation, askedAt: Date, askedAtMs: number): Promise<void> {
    const { clock, lifecycle, settings, random, log } = this.#options;
    this.#countPoll(null);
    this.#streak = null;
    this.#failedAt = null;
    const sighting = this.#sighting(observation);
    const advance = lifecycle.advance(this.#recorder.state, sighting);
    if (advance.kind === 'stale') {
      log.debug({ callSid: this.#callSid, status: sighting.status }, 'stale read');
    } else {
      this.#changedAfter = askedAt;
      // News has its body with it.
      this.#lastBody = advance.kind === 'unchanged' ? observation.body : null;
    }
    if (advance.kind === 'unchanged') this.#recorder.state = advance.state;
    if (advance.kind === 'transition' || advance.kind === 'amendment') {
      this.#recorder.send({ sighting }, advance.state);
    }
    if (advance.kind === 'transition') {
      this.#statusSince = clock.monotonic();
      const { status, reason } = sighting;
      log.info({ callSid: this.#callSid, account: this.#account.name, status, reason }, 'transition');
    }
    if (!this.#recorder.isOver && isOverdue(this.#followed(), settings)) this.#settle('abandoned');
    if (this.#recorder.isOver) await this.#recorder.written();

    const answeredAt = clock.monotonic();
    const { pace } = this.#account.connection;
    const delay = nextPollDelay(answeredAt - this.#statusSince, pace, random);
    // From asking to asking, so that a slow answer does not stretch the interval, but never at once after it.
    this.#nextPollAt = Math.max(askedAtMs + delay, answeredAt + pace.intervalMinMs);
  }

  #sighting(observation: Observation): Sighting {
    const observedAt = this.#options.clock.now();
    const after = this.#recorder.state.status === null ? null : this.#changedAfter;
    // The wall clock may have been set back in between.
    const changedAfter = after !== null && after > observedAt ? observedAt : after;
    return { ...observation, changedAfter, observedAt };
  }

  async #failed(error: PolyAiError): Promise<void> {
    const { clock, settings, random, log } = this.#options;
    const now = clock.monotonic();
    this.#countPoll(error.message);
    this.#streak = extendStreak(this.#streak, error.code, this.#failedAt === null ? 0 : now - this.#failedAt);
    this.#failedAt = now;
    log.debug({ callSid: this.#callSid, code: error.code, failures: this.#streak.failures }, error.message);

    const known = { ...this.#followed(), everSeen: this.#recorder.state.status !== null };
    const outcome = verdict(this.#streak, known, settings);
    if (outcome !== null) {
      this.#settle(outcome);
      await this.#recorder.written();
    }
    this.#nextPollAt =
      clock.monotonic() +
      backoffDelay(this.#streak.failures, error.retryAfterMs, this.#account.connection.pace, random);
    if (error.code === 'unauthorized') this.#waitForAccount();
  }

  /** Whoever wakes first after the probe's time is the probe. */
  #waitForAccount(): void {
    const { clock, random } = this.#options;
    const spreadMs = random() * this.#account.connection.pace.intervalMaxMs;
    this.#nextPollAt = clock.monotonic() + this.#account.msToProbe() + spreadMs;
  }

  #settle(outcome: Outcome): void {
    const { clock, lifecycle, log } = this.#options;
    const at = clock.now();
    const state = lifecycle.close(this.#recorder.state, outcome, at);
    if (state === null) return;
    this.#recorder.send({ outcome: { outcome, at } }, state);
    log.warn({ callSid: this.#callSid, account: this.#account.name, outcome }, 'settled without an end');
  }

  #handOn(): HandedOn {
    const changedAfter = this.#changedAfter?.toISOString() ?? null;
    const sinceFailed = this.#failedAt === null ? 0 : this.#options.clock.monotonic() - this.#failedAt;
    const streak = this.#streak && { ...this.#streak, sameCodeMs: this.#streak.sameCodeMs + sinceFailed };
    return { dueInMs: this.#dueInMs(), streak, changedAfter };
  }

  #dueInMs(): number {
    return this.#nextPollAt - this.#options.clock.monotonic();
  }

  #countPoll(error: string | null): void {
    this.#polls++;
    this.#recorder.countPoll(error);
  }

  #followed(): FollowedCall {
    const trackedMs = this.#trackedMs + this.#options.clock.monotonic() - this.#startedAt;
    return { trackedMs, polls: this.#polls };
  }
}

/** Without a word of the follower before: it had its last answer at `lastSeenAt`, and had asked within a time-out. */
function lastAskedAt(
  { state: { lastSeenAt } }: TrackedCall,
  handedOn: HandedOn | null,
  { pollTimeoutMs }: FollowSettings,
): Date | null {
  if (typeof handedOn?.changedAfter === 'string') return new Date(handedOn.changedAfter);
  return lastSeenAt === null ? null : new Date(lastSeenAt.getTime() - pollTimeoutMs);
}
