import { type Account, AccountPausedError } from '../accounts/account.ts';
import type { Slot } from '../accounts/line.ts';
import type { FollowedCall } from '../call/call.ts';
import type { PaceSettings } from '../call/pace.ts';
import type { VerdictLimits } from '../call/verdict.ts';
import { PolyAiError } from '../polyai/polyai-error.ts';
import { Findings, type FindingsOptions } from './findings.ts';
import type { FollowResult, HandedOn } from './lease.ts';
import { Recorder, type ReportingArchive } from './recorder.ts';
import { Schedule, type ScheduleOptions } from './schedule.ts';

/** How long after it was handed back a call may be taken up before the sweeper steps in. */
const PICK_UP_MS = 10_000;
/** A last report has at least so long to be written before the lease goes into overtime. */
const WRITTEN_WITHIN_MS = 1_000;
/** How long one overtime is, at least. */
const OVERTIME_MS = 5_000;

/** The pace is the slowest of any account's. */
export interface FollowSettings extends PaceSettings, VerdictLimits {
  leaseMs: number;
  pollTimeoutMs: number;
}

export interface LeaseOptions extends ScheduleOptions, FindingsOptions {
  archive: ReportingArchive;
  settings: FollowSettings;
}

/**
 * One call under one lease. The lease is always in one of these states:
 *
 * - sleeping: until the next poll is due, or the lease ends;
 * - waiting: the poll is due, and waits for a slot of the account;
 * - polling: PolyAI is asked, and what it shows is recorded;
 * - letting go: the counters and a last promise are being written;
 * - over: the call is handed back, or there is nothing left to follow.
 *
 * A lease begins asleep. It goes from sleeping to waiting when the poll is due, to polling when there is a slot, and
 * back to sleeping: after an answer by the pace, after a failure by the backoff, in a paused account until its next
 * probe, or until it is paused no more.
 *
 * From each of these it begins to let go when its time has passed or its signal is aborted; a poll under way may end. A
 * poll that waits for a slot keeps its place in the line: the next lease is told for how long it has been due.
 *
 * It goes from letting go to over once all is written. While Postgres is away it goes back to sleeping, for an overtime
 * of 5 s at least: PolyAI may forget the call before Postgres is back. It is over at once where the call settled or was
 * erased.
 */
export class OneLease {
  readonly #options: LeaseOptions;
  readonly #account: Account;
  readonly #callSid: string;
  readonly #recorder: Recorder;
  readonly #findings: Findings;
  readonly #schedule: Schedule;

  constructor(options: LeaseOptions, account: Account, call: FollowedCall, handedOn: HandedOn | null) {
    this.#options = options;
    this.#account = account;
    this.#callSid = call.callSid;
    this.#recorder = new Recorder(options.archive, call);
    this.#findings = new Findings(options, call, handedOn, {
      recorder: this.#recorder,
      health: account.health,
    });
    this.#schedule = new Schedule(options, account, call, handedOn);
  }

  /**
   * Sleeps, waits and polls until `end`, by `clock.monotonic()`. Rejects with what the archive refuses a report with.
   */
  async pollUntil(end: number, signal: AbortSignal): Promise<void> {
    const sleep = this.#options.clock.sleeper(signal);
    for (;;) {
      const isDue = this.#schedule.nextPollAt <= end;
      const ms = isDue ? this.#schedule.dueInMs : Math.max(0, end - this.#options.clock.monotonic());
      if (this.#schedule.isWaitingForAccount) {
        if (await this.#account.sleepPaused(Math.max(0, ms), signal)) {
          this.#schedule.accountGoesOn();
          continue;
        }
      } else if (ms > 0 || !isDue) await sleep(ms);
      if (signal.aborted || !isDue) return;
      const slot = await this.#account.slot(this.#schedule.placeAt, end, signal);
      if (slot === null) return;
      await this.#poll(slot, signal);
      if (this.#recorder.isFull) await this.#recorder.written();
      if (this.#recorder.isOver) return;
    }
  }

  /** Lets go of the call; gives the end of an overtime where not all is written. Rejects as `pollUntil` does. */
  async end(signal: AbortSignal): Promise<FollowResult | { kind: 'goOn'; end: number }> {
    if (!this.#recorder.isOver) await this.#letGo(signal);
    if (this.#recorder.isOver) return { kind: 'done' };
    if (this.#recorder.unwritten === 0) return { kind: 'handBack', handOn: this.#handOn() };
    const overtimeEnd = this.#options.clock.monotonic() + OVERTIME_MS;
    return { kind: 'goOn', end: Math.max(this.#schedule.nextPollAt, overtimeEnd) };
  }

  /** Waits until all is written, but no longer than to the next poll, or 1 s where that is due earlier. */
  async #letGo(signal: AbortSignal): Promise<void> {
    const dueInMs = Math.max(0, this.#schedule.dueInMs);
    this.#recorder.send({ followForMs: dueInMs + PICK_UP_MS });
    if (signal.aborted) return this.#recorder.written();
    const written = new AbortController();
    // Without a reason each abort would make an error, with its stack.
    this.#recorder.onIdle = () => written.abort('written');
    await this.#options.clock.sleeper(written.signal)(Math.max(dueInMs, WRITTEN_WITHIN_MS));
    this.#recorder.onIdle = null;
  }

  async #poll(slot: Slot, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const askedAtEpochMs = clock.now().getTime();
    const askedAt = clock.monotonic();
    try {
      const { lastSeen } = this.#findings;
      const observation = await this.#account.getStatus(this.#callSid, slot, signal, lastSeen);
      this.#schedule.polled(askedAt);
      if (this.#findings.answered(observation, askedAtEpochMs)) this.#schedule.statusChanged();
      if (this.#recorder.isOver) await this.#recorder.written();
      this.#schedule.afterAnswer(askedAt);
    } catch (error) {
      if (error instanceof PolyAiError) {
        this.#schedule.polled(askedAt);
        const failures = this.#findings.failed(error);
        if (this.#recorder.isOver) await this.#recorder.written();
        this.#schedule.afterFailure(failures, error);
      } else if (error instanceof AccountPausedError) this.#schedule.waitForAccount();
      else if (!signal.aborted) throw error;
    }
  }

  #handOn(): HandedOn {
    const { dueInMs, sinceAskedMs, isWaitingForAccount } = this.#schedule;
    // The next lease finds out by itself whether the account is still paused, and is woken when it is not.
    return { dueInMs: isWaitingForAccount ? 0 : dueInMs, sinceAskedMs, ...this.#findings.handOn() };
  }
}
