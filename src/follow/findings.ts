import type { Logger } from 'pino';
import type { AccountHealth } from '../accounts/account-health.ts';
import type { CallState, Conclusion, FollowedCall, Observation, Sighting } from '../call/call.ts';
import { advance, close } from '../call/lifecycle.ts';
import { askedBefore, seenBy, sightingOf } from '../call/sighting.ts';
import {
  type CallAge,
  contradicts,
  extendStreak,
  type FailureStreak,
  isOverdue,
  type VerdictLimits,
  verdict,
} from '../call/verdict.ts';
import type { Clock } from '../clock.ts';
import type { PolyAiError } from '../polyai/polyai-error.ts';
import type { HandedOn } from './lease.ts';
import { MAX_KEPT_BODY, type Recorder } from './recorder.ts';

export interface FindingsOptions {
  settings: VerdictLimits & { pollTimeoutMs: number };
  clock: Clock;
  log: Logger;
}

/** What the call's denial means to its account, and the account's state to the call. */
type AccountSigns = Pick<AccountHealth, 'isTrusted' | 'contradicted'>;

/** What the polls of one lease find out about its call. The recorder is told of news and of outcomes. */
export class Findings {
  readonly #options: FindingsOptions;
  readonly #callSid: string;
  readonly #account: string;
  readonly #recorder: Recorder;
  /** By `clock.monotonic()`, as `#seenAt` and `#failedAt` are. */
  readonly #registeredAt: number;
  /** When PolyAI last showed a status; null where it never has. */
  #seenAt: number | null;
  readonly #health: AccountSigns;
  #polls: number;
  #streak: FailureStreak | null;
  /** When the streak's last poll failed; of a streak that was handed on, when this lease began. */
  #failedAt: number | null;
  /** When the last successful poll was asked, in epoch milliseconds: a number is smaller than a Date for each call. */
  #changedAfter: number | null;
  #lastSeen: Observation | null = null;
  /** The state that `#lastSeen` left as it was; null where `#lastSeen` changed it. */
  #unchanged: CallState | null = null;

  constructor(
    options: FindingsOptions,
    call: FollowedCall,
    handedOn: HandedOn | null,
    { recorder, health }: { recorder: Recorder; health: AccountSigns },
  ) {
    const { clock, settings } = options;
    const now = clock.monotonic();
    this.#options = options;
    this.#callSid = call.callSid;
    this.#account = call.account;
    this.#recorder = recorder;
    this.#registeredAt = now - call.ageMs;
    this.#seenAt = call.silentMs === null ? null : now - call.silentMs;
    this.#health = health;
    this.#polls = call.polls;
    this.#streak = handedOn?.streak ?? null;
    this.#failedAt = this.#streak === null ? null : now;
    this.#changedAfter =
      typeof handedOn?.changedAfter === 'string'
        ? Date.parse(handedOn.changedAfter)
        : askedBefore(call.state, settings.pollTimeoutMs);
  }

  /** The last observation of this lease; null before the first, and where its body is too large to be kept. */
  get lastSeen(): Observation | null {
    return this.#lastSeen;
  }

  /** A poll that was asked at `askedAt`, in epoch milliseconds, brought a status. Returns whether that is a new one. */
  answered(observation: Observation, askedAt: number): boolean {
    const { clock, settings } = this.#options;
    this.#countPoll(null);
    this.#streak = null;
    this.#failedAt = null;
    this.#seenAt = clock.monotonic();
    const now = clock.now();
    const seenAt = seenBy(now.getTime(), askedAt, settings.pollTimeoutMs);
    let isTransition = false;
    // The client gives the same object for the same body, so most polls make no sighting.
    if (observation === this.#lastSeen && this.#recorder.state === this.#unchanged) {
      this.#changedAfter = askedAt;
      this.#recorder.sawAgain(observation.body, seenAt);
    } else isTransition = this.#saw(observation, askedAt, { observedAt: now, seenAt: new Date(seenAt) });
    if (!this.#recorder.isOver && isOverdue(this.#age(), settings)) this.#conclude('abandoned');
    return isTransition;
  }

  /** A poll brought no status. Returns how many in a row have brought none. */
  failed(error: PolyAiError): number {
    const { clock, settings, log } = this.#options;
    const now = clock.monotonic();
    this.#countPoll(error.message);
    this.#streak = extendStreak(this.#streak, error.code, this.#failedAt === null ? 0 : now - this.#failedAt);
    this.#failedAt = now;
    const { failures } = this.#streak;
    log.debug({ callSid: this.#callSid, code: error.code, failures }, error.message);
    const silentMs = this.#seenAt === null ? null : now - this.#seenAt;
    if (contradicts(error.code, silentMs, settings)) this.#health.contradicted(this.#callSid);
    const accountIsTrusted = this.#health.isTrusted;
    const outcome = verdict(this.#streak, { ...this.#age(), silentMs, accountIsTrusted }, settings);
    if (outcome !== null) this.#conclude(outcome);
    // Who looks at a call whose polls fail is to see it at once. Where answers and failures take turns, a report for each
    // would cost Postgres more than all the rest.
    else if (failures === 1 && !this.#recorder.hasToldFailure) this.#recorder.send({});
    return failures;
  }

  handOn(): Pick<HandedOn, 'streak' | 'changedAfter'> {
    const changedAfter = this.#changedAfter === null ? null : new Date(this.#changedAfter).toISOString();
    const sinceFailedMs = this.#failedAt === null ? 0 : this.#options.clock.monotonic() - this.#failedAt;
    const streak = this.#streak && { ...this.#streak, sameKindMs: this.#streak.sameKindMs + sinceFailedMs };
    return { streak, changedAfter };
  }

  #saw(observation: Observation, askedAt: number, times: Pick<Sighting, 'observedAt' | 'seenAt'>): boolean {
    const { log } = this.#options;
    const { state } = this.#recorder;
    const sighting = sightingOf(observation, state, this.#changedAfter, times);
    const { status, reason } = sighting;
    const advanced = advance(state, sighting);
    this.#lastSeen = observation.body.length > MAX_KEPT_BODY ? null : observation;
    this.#unchanged = null;
    // A stale answer shows the past: a change may have happened before it was asked for.
    if (advanced.kind !== 'stale') this.#changedAfter = askedAt;
    switch (advanced.kind) {
      case 'transition':
        this.#recorder.send({ sighting }, advanced.state);
        log.info({ callSid: this.#callSid, account: this.#account, status, reason }, 'transition');
        return true;
      case 'amendment':
        this.#recorder.send({ sighting }, advanced.state);
        return false;
      case 'unchanged':
        this.#unchanged = advanced.state;
        this.#recorder.state = advanced.state;
        this.#recorder.sawAgain(observation.body, sighting.seenAt.getTime());
        return false;
      case 'stale':
        log.debug({ callSid: this.#callSid, status }, 'stale read');
        return false;
      case 'settled':
        return false;
    }
  }

  #conclude(outcome: Conclusion): void {
    const { clock, log } = this.#options;
    const at = clock.now();
    const state = close(this.#recorder.state, outcome, at);
    if (state === null) return;
    this.#recorder.send({ conclusion: { outcome, at } }, state);
    log.warn(
      { callSid: this.#callSid, account: this.#account, outcome },
      'concluded: PolyAI shows no end of the call',
    );
  }

  /** `error` is null where the poll brought a status. */
  #countPoll(error: string | null): void {
    this.#polls++;
    this.#recorder.countPoll(error);
  }

  #age(): CallAge {
    return { ageMs: this.#options.clock.monotonic() - this.#registeredAt, polls: this.#polls };
  }
}
