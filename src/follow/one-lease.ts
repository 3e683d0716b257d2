import type { Logger } from 'pino';
import { type Account, AccountPausedError, type PollMetrics } from '../accounts/account.ts';
import type { CallState, FollowedCall, Observation, Outcome, Sighting } from '../call/call.ts';
import { advance, close } from '../call/lifecycle.ts';
import { backoffDelay, firstPollDelay, nextPollDelay, type PaceSettings } from '../call/pace.ts';
import {
  type CallAge,
  extendStreak,
  type FailureStreak,
  isOverdue,
  type VerdictLimits,
  verdict,
} from '../call/verdict.ts';
import type { Clock } from '../clock.ts';
import { PolyAiError } from '../polyai/polyai-error.ts';
import type { FollowResult, HandedOn } from './lease.ts';
import { Recorder, type ReportingArchive } from './recorder.ts';

/** How long after it was handed back a call may be taken up before the sweeper steps in. */
const PICK_UP_MS = 10_000;
/** So many reports of one call wait for Postgres; where there are more, polling waits too. */
const MAX_UNWRITTEN = 50;
/** How long a last report may take before the lease goes on, and for how long it does at least. */
const WRITTEN_WITHIN_MS = 1_000;
const OVERTIME_MS = 5_000;

/** The pace is the slowest of any account's. */
export interface FollowSettings extends PaceSettings, VerdictLimits {
  leaseMs: number;
  pollTimeoutMs: number;
}

export interface LeaseOptions {
  metrics: PollMetrics;
  archive: ReportingArchive;
  settings: FollowSettings;
  clock: Clock;
  random: () => number;
  log: Logger;
}

/** One call under one lease. */
export class OneLease {
  readonly #options: LeaseOptions;
  readonly #account: Account;
  readonly #callSid: string;
  readonly #recorder: Recorder;
  readonly #startedAt: number;
  readonly #ageMs: number;
  #polls: number;
  #streak: FailureStreak | null;
  #failedAt: number | null = null;
  #statusSince: number;
  /** Epoch milliseconds: a Date for each poll of each call would take its room. */
  #changedAfter: number | null;
  #nextPollAt: number;
  #lastAskedAt: number | null;
  #lastSeen: Observation | null = null;
  /** What `#lastSeen` left as it was; null where it did not. */
  #unchanged: CallState | null = null;

  constructor(options: LeaseOptions, account: Account, call: FollowedCall, handedOn: HandedOn | null) {
    const { archive, clock, settings, random } = options;
    const { pace } = account.connection;
    this.#options = options;
    this.#account = account;
    this.#callSid = call.callSid;
    this.#recorder = new Recorder(archive, call);
    this.#ageMs = call.ageMs;
    this.#polls = call.polls;
    this.#startedAt = clock.monotonic();
    this.#statusSince = this.#startedAt - call.ageMs;
    this.#changedAfter = lastAskedAt(call, handedOn, settings);
    this.#lastAskedAt = handedOn?.sinceAskedMs == null ? null : this.#startedAt - handedOn.sinceAskedMs;
    this.#streak = handedOn?.streak ?? null;
    this.#failedAt = this.#streak === null ? null : this.#startedAt;
    this.#nextPollAt = this.#startedAt + (handedOn?.dueInMs ?? firstPollDelay(pace, random));
  }

  /** Polls until then; a poll that is still waiting for a slot keeps its place: it is handed on as long overdue. */
  async pollUntil(end: number, signal: AbortSignal): Promise<void> {
    const sleep = this.#options.clock.sleeper(signal);
    while (!signal.aborted && this.#nextPollAt <= end) {
      const dueInMs = this.#dueInMs();
      if (dueInMs > 0) await sleep(dueInMs);
      if (signal.aborted) return;
      const slot = this.#account.slot(this.#nextPollAt, end, signal);
      if (slot !== true && !(await slot)) return;
      await this.#poll(signal);
      if (this.#recorder.unwritten > MAX_UNWRITTEN) await this.#recorder.written();
      if (this.#recorder.isOver) return;
    }
    await sleep(Math.max(0, end - this.#options.clock.monotonic()));
  }

  /**
   * Lets go of the call, or gives the time until which it is to be polled on: while what was seen cannot be written, the
   * lease goes on, for PolyAI may forget the call before Postgres is back.
   */
  async end(signal: AbortSignal): Promise<FollowResult | { kind: 'goOn'; end: number }> {
    if (!this.#recorder.isOver) await this.#letGo(signal);
    if (this.#recorder.isOver) return { kind: 'done' };
    if (this.#recorder.unwritten === 0) return { kind: 'handBack', handOn: this.#handOn() };
    const overtimeEnd = this.#options.clock.monotonic() + OVERTIME_MS;
    return { kind: 'goOn', end: Math.max(this.#nextPollAt, overtimeEnd) };
  }

  /** Writes the counters and a last promise; waits for it until the next poll is due, and a moment at least. */
  async #letGo(signal: AbortSignal): Promise<void> {
    const dueInMs = Math.max(0, this.#dueInMs());
    this.#recorder.send({ followForMs: dueInMs + PICK_UP_MS });
    if (signal.aborted) return this.#recorder.written();
    const written = new AbortController();
    // Without a reason it would make an error, with the stack, for each lease.
    this.#recorder.onIdle = () => written.abort('written');
    await this.#options.clock.sleeper(written.signal)(Math.max(dueInMs, WRITTEN_WITHIN_MS));
    this.#recorder.onIdle = null;
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const askedAt = clock.now().getTime();
    const askedAtMs = clock.monotonic();
    try {
      const observation = await this.#account.getStatus(this.#callSid, signal, this.#lastSeen);
      this.#measureInterval(askedAtMs);
      this.#answered(observation, askedAt);
      if (this.#recorder.isOver) await this.#recorder.written();
      this.#paceFrom(askedAtMs);
    } catch (error) {
      if (error instanceof PolyAiError) {
        this.#measureInterval(askedAtMs);
        await this.#failed(error);
      } else if (error instanceof AccountPausedError) this.#waitForAccount();
      else if (!signal.aborted) throw error;
    }
  }

  #measureInterval(askedAtMs: number): void {
    if (this.#lastAskedAt !== null) {
      this.#options.metrics.interval(this.#account.name, askedAtMs - this.#lastAskedAt);
    }
    this.#lastAskedAt = askedAtMs;
  }

  #answered(observation: Observation, askedAt: number): void {
    const { clock, settings } = this.#options;
    this.#countPoll(null);
    this.#streak = null;
    this.#failedAt = null;
    // The client gives the same object for the same answer: most polls end here.
    if (observation === this.#lastSeen && this.#recorder.state === this.#unchanged) {
      this.#changedAfter = askedAt;
      this.#recorder.sawAgain(observation.body, clock.now().getTime());
    } else this.#saw(observation, askedAt);
    if (!this.#recorder.isOver && isOverdue(this.#followed(), settings)) this.#settle('abandoned');
  }

  #saw(observation: Observation, askedAt: number): void {
    const { clock, log } = this.#options;
    const sighting = this.#sighting(observation);
    const advanced = advance(this.#recorder.state, sighting);
    this.#lastSeen = observation;
    this.#unchanged = advanced.kind === 'unchanged' ? advanced.state : null;
    if (advanced.kind === 'stale') {
      log.debug({ callSid: this.#callSid, status: sighting.status }, 'stale read');
    } else this.#changedAfter = askedAt;
    if (advanced.kind === 'unchanged') {
      this.#recorder.state = advanced.state;
      this.#recorder.sawAgain(observation.body, sighting.observedAt.getTime());
    }
    if (advanced.kind === 'transition' || advanced.kind === 'amendment') {
      this.#recorder.send({ sighting }, advanced.state);
    }
    if (advanced.kind === 'transition') {
      this.#statusSince = clock.monotonic();
      const { status, reason } = sighting;
      log.info({ callSid: this.#callSid, account: this.#account.name, status, reason }, 'transition');
    }
  }

  /** From asking to asking, so that a slow answer does not stretch the interval, but never at once after it. */
  #paceFrom(askedAtMs: number): void {
    const { clock, random } = this.#options;
    const answeredAt = clock.monotonic();
    const { pace } = this.#account.connection;
    const delay = nextPollDelay(answeredAt - this.#statusSince, pace, random);
    this.#nextPollAt = Math.max(askedAtMs + delay, answeredAt + pace.intervalMinMs);
  }

  #sighting(observation: Observation): Sighting {
    const observedAt = this.#options.clock.now();
    const after = this.#recorder.state.status === null ? null : this.#changedAfter;
    // The wall clock may have been set back in between.
    const changedAfter = after === null ? null : new Date(Math.min(after, observedAt.getTime()));
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
    const { clock, log } = this.#options;
    const at = clock.now();
    const state = close(this.#recorder.state, outcome, at);
    if (state === null) return;
    this.#recorder.send({ outcome: { outcome, at } }, state);
    log.warn({ callSid: this.#callSid, account: this.#account.name, outcome }, 'settled without an end');
  }

  #handOn(): HandedOn {
    const changedAfter = this.#changedAfter === null ? null : new Date(this.#changedAfter).toISOString();
    const sinceFailed = this.#failedAt === null ? 0 : this.#options.clock.monotonic() - this.#failedAt;
    const streak = this.#streak && { ...this.#streak, sameCodeMs: this.#streak.sameCodeMs + sinceFailed };
    const sinceAskedMs =
      this.#lastAskedAt === null ? null : this.#options.clock.monotonic() - this.#lastAskedAt;
    return { dueInMs: this.#dueInMs(), streak, changedAfter, sinceAskedMs };
  }

  #dueInMs(): number {
    return this.#nextPollAt - this.#options.clock.monotonic();
  }

  #countPoll(error: string | null): void {
    this.#polls++;
    this.#recorder.countPoll(error);
  }

  #followed(): CallAge {
    const ageMs = this.#ageMs + this.#options.clock.monotonic() - this.#startedAt;
    return { ageMs, polls: this.#polls };
  }
}

/** Without a word of the follower before: it had its last answer at `lastSeenAt`, and had asked within a time-out. */
function lastAskedAt(
  { state: { lastSeenAt } }: FollowedCall,
  handedOn: HandedOn | null,
  { pollTimeoutMs }: FollowSettings,
): number | null {
  if (typeof handedOn?.changedAfter === 'string') return Date.parse(handedOn.changedAfter);
  return lastSeenAt === null ? null : lastSeenAt.getTime() - pollTimeoutMs;
}
