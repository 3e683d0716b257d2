import type { Logger } from 'pino';
import type { CallState, Lifecycle, Outcome, Report, Sighting, TrackedCall } from '../archive/call.ts';
import { PolyAiError } from '../polyai/errors.ts';
import type { Observation } from '../polyai/observation.ts';
import { type Account, AccountPausedError } from './account.ts';
import type { Clock } from './clock.ts';
import { backoffDelay, firstPollDelay, leaseLength, nextPollDelay, type PaceSettings } from './pace.ts';
import { extendStreak, type FailureStreak, isOverdue, type VerdictLimits, verdict } from './verdict.ts';

/** What one lease hands on to the next. A hint: without it the call is followed as if taken over afresh. */
export interface HandedOn {
  streak: FailureStreak | null;
}

export type FollowResult =
  /** Settled, or erased: nothing is left to follow. */
  | { kind: 'done' }
  /** The lease ended or the signal was aborted: to be followed on, by whoever it may be, in `dueInMs`. */
  | { kind: 'handBack'; dueInMs: number; handOn: HandedOn };

/**
 * Follows one call for one lease: poll, record, sleep. `handedOn` is null where the call is new or was taken over
 * without a word. Rejects only where the archive was closed or refuses a report.
 */
export type Follow = (
  callSid: string,
  handedOn: HandedOn | null,
  signal: AbortSignal,
) => Promise<FollowResult>;

export interface FollowSettings extends PaceSettings, VerdictLimits {
  leaseMs: number;
  pollTimeoutMs: number;
}

export interface FollowerOptions {
  accounts: ReadonlyMap<string, Account>;
  archive: { report(report: Report): Promise<TrackedCall | null> };
  lifecycle: Lifecycle;
  settings: FollowSettings;
  clock: Clock;
  random: () => number;
  log: Logger;
}

/** How long after its due time a call that was handed back may be taken up before the sweeper steps in. */
const PICK_UP_MS = 10_000;

export function createFollower(options: FollowerOptions): Follow {
  const { archive, settings, random, clock, accounts, log } = options;

  return async function follow(callSid, handedOn, signal) {
    const leaseMs = leaseLength(settings.leaseMs, random);
    const leaseEnd = clock.monotonic() + leaseMs;
    const followForMs = leaseMs + settings.intervalMaxMs + settings.pollTimeoutMs;
    const call = await archive.report({ callSid, followForMs });
    if (call === null || call.state.outcome !== null) return { kind: 'done' };

    const account = accounts.get(call.account);
    if (account === undefined) {
      log.error({ callSid, account: call.account }, 'call waits: its account is not configured');
      const handOn = { streak: handedOn?.streak ?? null };
      return { kind: 'handBack', dueInMs: leaseMs, handOn };
    }
    return new Following(options, account, call, handedOn).until(leaseEnd, signal);
  };
}

/** One call under one lease. */
class Following {
  readonly #options: FollowerOptions;
  readonly #account: Account;
  readonly #callSid: string;
  readonly #startedAt: number;
  readonly #trackedMs: number;
  #state: CallState;
  #erased = false;
  #streak: FailureStreak | null;
  #failedAt: number | null = null;
  #statusSince: number;
  #changedAfter: Date | null;
  #nextPollAt: number;
  /** Since the last report. */
  #polls = 0;
  #failedPolls = 0;
  #lastError: string | null | undefined;

  constructor(options: FollowerOptions, account: Account, call: TrackedCall, handedOn: HandedOn | null) {
    const { clock, settings, random } = options;
    this.#options = options;
    this.#account = account;
    this.#callSid = call.callSid;
    this.#state = call.state;
    this.#trackedMs = call.trackedMs;
    this.#startedAt = clock.monotonic();
    this.#statusSince = this.#startedAt - call.trackedMs;
    this.#changedAfter = call.state.lastSeenAt;
    this.#streak = handedOn?.streak ?? null;
    this.#nextPollAt = this.#startedAt + (handedOn === null ? firstPollDelay(settings, random) : 0);
  }

  async until(leaseEnd: number, signal: AbortSignal): Promise<FollowResult> {
    const { clock } = this.#options;
    while (!signal.aborted && this.#nextPollAt <= leaseEnd) {
      const wait = this.#nextPollAt - clock.monotonic();
      if (wait > 0) await clock.sleep(wait, signal);
      if (!signal.aborted) await this.#poll(signal);
      if (this.#isOver) return { kind: 'done' };
    }
    return this.#handBack();
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const askedAt = clock.now();
    const askedAtMs = clock.monotonic();
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
    this.#polls++;
    this.#lastError = null;
    this.#streak = null;
    this.#failedAt = null;
    const sighting = this.#sighting(observation);
    const advance = lifecycle.advance(this.#state, sighting);
    if (advance.kind === 'stale') {
      log.debug({ callSid: this.#callSid, status: sighting.status }, 'stale read');
    } else {
      this.#changedAfter = askedAt;
    }
    if (advance.kind === 'unchanged') this.#state = advance.state;
    if (advance.kind === 'transition' || advance.kind === 'amendment') await this.#record({ sighting });
    if (advance.kind === 'transition') {
      this.#statusSince = clock.monotonic();
      const { status, reason } = sighting;
      log.info({ callSid: this.#callSid, account: this.#account.name, status, reason }, 'transition');
    }
    if (!this.#isOver && isOverdue(this.#ageMs(), settings)) await this.#settle('abandoned');

    const answeredAt = clock.monotonic();
    const delay = nextPollDelay(answeredAt - this.#statusSince, settings, random);
    // From asking to asking, so that a slow answer does not stretch the interval, but never at once after it.
    this.#nextPollAt = Math.max(askedAtMs + delay, answeredAt + settings.intervalMinMs);
  }

  #sighting(observation: Observation): Sighting {
    const observedAt = this.#options.clock.now();
    const after = this.#state.status === null ? null : this.#changedAfter;
    // The wall clock may have been set back in between.
    const changedAfter = after !== null && after > observedAt ? observedAt : after;
    return { ...observation, changedAfter, observedAt };
  }

  async #failed(error: PolyAiError): Promise<void> {
    const { clock, settings, random, log } = this.#options;
    const now = clock.monotonic();
    this.#polls++;
    this.#failedPolls++;
    this.#lastError = error.message;
    this.#streak = extendStreak(this.#streak, error.code, this.#failedAt === null ? 0 : now - this.#failedAt);
    this.#failedAt = now;
    log.debug({ callSid: this.#callSid, code: error.code, failures: this.#streak.failures }, error.message);

    const known = { everSeen: this.#state.status !== null, trackedMs: this.#ageMs() };
    const outcome = verdict(this.#streak, known, settings);
    if (outcome !== null) await this.#settle(outcome);
    this.#nextPollAt =
      clock.monotonic() + backoffDelay(this.#streak.failures, error.retryAfterMs, settings, random);
    if (error.code === 'unauthorized') this.#waitForAccount();
  }

  /** Whoever wakes first after the probe's time is the probe. */
  #waitForAccount(): void {
    const { clock, settings, random } = this.#options;
    this.#nextPollAt = clock.monotonic() + this.#account.msToProbe() + random() * settings.intervalMaxMs;
  }

  async #settle(outcome: Outcome): Promise<void> {
    await this.#record({ outcome: { outcome, at: this.#options.clock.now() } });
    this.#options.log.warn(
      { callSid: this.#callSid, outcome, lastError: this.#lastError },
      'settled without an end',
    );
  }

  async #handBack(): Promise<FollowResult> {
    const dueInMs = Math.max(0, this.#nextPollAt - this.#options.clock.monotonic());
    await this.#record({ lastSeenAt: this.#state.lastSeenAt, followForMs: dueInMs + PICK_UP_MS });
    if (this.#isOver) return { kind: 'done' };
    return { kind: 'handBack', dueInMs, handOn: { streak: this.#streak } };
  }

  /** Commits, with the counters so far, and goes on from what the archive then holds. */
  async #record(part: Partial<Report>): Promise<void> {
    const report: Report = {
      callSid: this.#callSid,
      polls: this.#polls,
      failedPolls: this.#failedPolls,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...part,
    };
    this.#polls = 0;
    this.#failedPolls = 0;
    const call = await this.#options.archive.report(report);
    if (call === null) this.#erased = true;
    else this.#state = call.state;
  }

  get #isOver(): boolean {
    return this.#erased || this.#state.outcome !== null;
  }

  #ageMs(): number {
    return this.#trackedMs + this.#options.clock.monotonic() - this.#startedAt;
  }
}
