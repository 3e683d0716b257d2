import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { type Finding, type PollResult, PollSigns } from './poll-signs.ts';

/** Of a failure's words, in readiness. */
const MAX_TEXT = 100;
/** How soon what the time alone shows is seen. */
const LOOK_EVERY_MS = 2_000;
/** Failures of so long ago are no state of an account that nothing is polled of since. */
const IDLE_MS = 10_000;
const DENIES = 'PolyAI denies calls that it has shown';

/** How an account's polls go: for readiness, metrics and one log line per change. */
export type HealthState = 'ok' | 'failing' | 'paused' | 'unproven';

interface HealthOptions {
  account: string;
  /** The longest interval between two polls of a call. */
  intervalMaxMs: () => number;
  clock: Pick<Clock, 'monotonic'>;
  log: Logger;
}

/**
 * How the polls of an account go, as far as this process has polled (`poll-signs.ts` has the rules):
 *
 * - **ok**: PolyAI answers. Also before the first poll.
 * - **failing**: no poll has been answered for 3 s and three polls, or for 10 s where no more came. Nobody listens, the
 *   name is not known, a gateway answers, or the answers are no statuses. Or PolyAI denies calls that it has shown, two
 *   or more over 10 s, and shows none: a gateway may answer in its words.
 * - **unproven**: PolyAI answers that it knows no call, for 10 s and three polls, and has shown no status since the
 *   account was configured as it is. URL, region or token may be another account's, so nothing is concluded of its calls.
 * - **paused**: PolyAI refuses the token: no call is answered, and several are refused for 3 s and three polls; or one
 *   is for 10 s, and longer where the calls' intervals are.
 *
 * A status brings each state back to ok. A 404 or 400 of PolyAI's own ends failing and paused: it took the token. A 429
 * says nothing of either. A new connection begins anew. Where no call has been followed here for 10 s, failing ends too:
 * no poll would ever show that PolyAI answers again.
 */
export class AccountHealth {
  readonly #options: HealthOptions;
  readonly #signs = new PollSigns();
  #state: HealthState = 'ok';
  #reason = '';
  /** Of the last poll that failed or was refused, in words. */
  #lastFailure = '';
  #lastRefusal = '';
  /** The kinds of failures that were warned of since the state is failing: they may take turns at each poll. */
  readonly #warnedOf = new Set<string>();
  /** Calls here that are followed. */
  #followed = 0;
  /** When the last one was left. */
  #idleSince = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  get state(): HealthState {
    return this.#state;
  }

  /** As readiness tells it, e.g. `failing: ENOTFOUND api.example`. */
  get text(): string {
    return this.#state === 'failing' ? `failing: ${this.#reason.slice(0, MAX_TEXT)}` : this.#state;
  }

  /** PolyAI has shown a status of some call since the account was configured as it is. */
  get isProven(): boolean {
    return this.#signs.isProven;
  }

  /** The account is proven, and PolyAI has shown some call since it last denied one that it must still know. */
  get isTrusted(): boolean {
    return this.#signs.isTrusted;
  }

  /** Another URL, API or token: what was learnt of the last one says nothing of it. */
  begin(): void {
    this.#signs.begin();
    if (this.#state !== 'paused') this.#become('ok', '');
  }

  /** A poll of this call brought this; `reason` says in words why it brought no status. */
  learn(result: PollResult, reason: string, callSid: string): void {
    this.#signs.learn(result, callSid, this.#options.clock.monotonic());
    switch (result) {
      case 'status':
        return this.#become('ok', '');
      case 'not_found':
      case 'rejected':
        return this.#judge(this.#finding(), reason);
      case 'too_many':
        return;
      case 'unauthorized':
        this.#lastRefusal = reason;
        break;
      default:
        this.#lastFailure = reason;
    }
    this.look();
  }

  /** PolyAI denied a call that it has shown, and that it cannot have forgotten yet. */
  contradicted(callSid: string): void {
    this.#signs.contradicted(callSid, this.#options.clock.monotonic());
    this.look();
  }

  /** A call is followed here from now on. */
  join(): void {
    this.#followed++;
  }

  /** It is no more. Where none is, silence says nothing. */
  leave(): void {
    this.#followed--;
    if (this.#followed > 0) return;
    this.#idleSince = this.#options.clock.monotonic();
    this.#lookLater();
  }

  /** Finds what is sure by now, and looks again later by itself: there may be no further poll for long. */
  look(): void {
    const finding = this.#finding();
    if (finding === 'paused' || (finding !== null && this.#state !== 'paused')) this.#judge(finding, '');
    if (this.#signs.isOpen) this.#lookLater();
  }

  #lookLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      if (this.#followed > 0) this.look();
      else this.#rest();
    }, LOOK_EVERY_MS).unref();
  }

  /** No call is followed: a new one may come soon, or its lease go on in another process. */
  #rest(): void {
    if (this.#state !== 'failing') return;
    if (this.#options.clock.monotonic() - this.#idleSince < IDLE_MS) return this.#lookLater();
    this.#become('ok', '', 'no call of the account is left to poll: how PolyAI answers is not known');
  }

  #finding(): Finding | null {
    const { clock, intervalMaxMs } = this.#options;
    return this.#signs.finding(clock.monotonic(), intervalMaxMs());
  }

  /** `denial` is what PolyAI said where it denied a call. */
  #judge(finding: Finding | null, denial: string): void {
    switch (finding) {
      case null:
        return this.#become('ok', '');
      case 'denying':
        return this.#become('failing', DENIES);
      case 'failing':
        return this.#become('failing', this.#lastFailure);
      case 'paused':
        return this.#become('paused', this.#lastRefusal);
      case 'unproven':
        return this.#become('unproven', denial);
    }
  }

  #become(next: HealthState, reason: string, resumed = RESUMED[this.#state]): void {
    const { account, log } = this.#options;
    const before = this.#state;
    this.#state = next;
    this.#reason = reason;
    const fields = { account, ...(reason === '' ? {} : { reason }) };
    if (next === 'failing') return this.#warnOf(kindOf(reason), fields);
    if (next === before) return;
    this.#warnedOf.clear();
    if (next === 'ok') log.info({ ...fields, before }, resumed);
    else if (next === 'paused') log.error(fields, 'account paused: PolyAI refuses its token');
    else log.warn(fields, 'PolyAI knows none of the account’s calls: are its URL, region and token right?');
  }

  #warnOf(kind: string, fields: { account: string; reason?: string }): void {
    if (this.#warnedOf.has(kind)) return;
    this.#warnedOf.add(kind);
    this.#options.log.warn(fields, 'polls of the account fail');
  }
}

const RESUMED: Record<HealthState, string> = {
  ok: '',
  failing: 'polls of the account are answered again',
  paused: 'account resumed: PolyAI takes its token again',
  unproven: 'PolyAI shows a call of the account: it is proven',
};

/** The kind of a failure: its first word, e.g. `ECONNREFUSED`, `HTTP 502`. What follows may differ at each poll. */
function kindOf(reason: string): string {
  return /^(HTTP \d+|\w+)/.exec(reason)?.[0] ?? '';
}
