import type { FailureCode } from '../call/verdict.ts';

export type PollResult = 'status' | FailureCode;

/** What the polls of an account amount to. */
export type Finding = 'paused' | 'failing' | 'unproven' | 'denying';

/** So many polls in a row, over so long, show what the next one would: one answer may be a replica's or a proxy's. */
const IN_A_ROW = 3;
const SURE_AFTER_MS = 3_000;
/**
 * After so long one poll is enough where no other came: all calls may wait, as a gateway asked them to. An account whose
 * calls are answered hears of one in less. It is also the time in which PolyAI may not know a call that was just placed.
 */
const SILENT_MS = 10_000;

/** Polls that were answered alike, with nothing between that says otherwise. */
class Row {
  #polls = 0;
  #since = 0;
  #firstCall = '';
  #isOfSeveral = false;

  add(callSid: string, now: number): void {
    if (this.#polls++ === 0) {
      this.#since = now;
      this.#firstCall = callSid;
      this.#isOfSeveral = false;
    } else if (callSid !== this.#firstCall) this.#isOfSeveral = true;
  }

  clear(): void {
    this.#polls = 0;
  }

  get isEmpty(): boolean {
    return this.#polls === 0;
  }

  /** They are of two calls or more. */
  get isOfSeveral(): boolean {
    return this.#polls > 1 && this.#isOfSeveral;
  }

  isLong(now: number, ms: number): boolean {
    return this.#polls >= IN_A_ROW && now - this.#since >= ms;
  }

  isOld(now: number, ms: number): boolean {
    return this.#polls > 0 && now - this.#since >= ms;
  }
}

/**
 * What the polls of one account have shown, and what that amounts to. Pure: all times are given, in milliseconds,
 * monotonic. One call alone says nothing of the account while others are answered.
 */
export class PollSigns {
  #isProven = false;
  #isLimited = false;
  readonly #failures = new Row();
  readonly #refusals = new Row();
  readonly #denials = new Row();
  /** Of calls that were seen, and not so long ago that PolyAI may have forgotten them. */
  readonly #contradictions = new Row();

  /** PolyAI has shown a status of some call. */
  get isProven(): boolean {
    return this.#isProven;
  }

  /** What PolyAI is said not to know it does not: it has shown a call, and since then denied none that was seen. */
  get isTrusted(): boolean {
    return this.#isProven && this.#contradictions.isEmpty;
  }

  /** As before the first poll. */
  begin(): void {
    this.#isProven = false;
    this.#isLimited = false;
    for (const row of [this.#failures, this.#refusals, this.#denials, this.#contradictions]) row.clear();
  }

  learn(result: PollResult, callSid: string, now: number): void {
    this.#isLimited = result === 'too_many';
    switch (result) {
      case 'status':
        this.#isProven = true;
        this.#denials.clear();
        this.#contradictions.clear();
        return this.#answered();
      case 'not_found':
      case 'rejected':
        this.#denials.add(callSid, now);
        return this.#answered();
      case 'unauthorized':
        return this.#refusals.add(callSid, now);
      case 'too_many':
        return;
      default:
        this.#failures.add(callSid, now);
    }
  }

  /** PolyAI denied a call that it has shown and must still know. */
  contradicted(callSid: string, now: number): void {
    this.#contradictions.add(callSid, now);
  }

  /** null: nothing is sure. `intervalMaxMs`: each call that is answered is polled again in this time. */
  finding(now: number, intervalMaxMs: number): Finding | null {
    if (this.#isRefused(now, intervalMaxMs)) return 'paused';
    if (this.#failures.isLong(now, SURE_AFTER_MS)) return 'failing';
    // While PolyAI's 429 holds all calls up, silence says nothing.
    if (this.#failures.isOld(now, SILENT_MS) && !this.#isLimited) return 'failing';
    if (!this.#isProven) return this.#denials.isLong(now, SILENT_MS) ? 'unproven' : null;
    return this.#contradictions.isOfSeveral && this.#contradictions.isOld(now, SILENT_MS) ? 'denying' : null;
  }

  /** Whether the time alone may bring a finding. */
  get isOpen(): boolean {
    return !(this.#failures.isEmpty && this.#refusals.isEmpty && this.#contradictions.isEmpty);
  }

  /** The token is refused where several calls say so; or one, and no other that must have been polled says otherwise. */
  #isRefused(now: number, intervalMaxMs: number): boolean {
    if (this.#refusals.isOfSeveral && this.#refusals.isLong(now, SURE_AFTER_MS)) return true;
    return this.#refusals.isOld(now, Math.max(SILENT_MS, 2 * intervalMaxMs));
  }

  /** To such an answer PolyAI took the token. */
  #answered(): void {
    this.#failures.clear();
    this.#refusals.clear();
  }
}
