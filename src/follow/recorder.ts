import { createHash } from 'node:crypto';
import type { CallState, FollowedCall, Report } from '../call/call.ts';

/**
 * Characters of a body that a call keeps in memory between two reports; PolyAI's own are some hundred long. 20,000 calls
 * whose bodies are as large as an answer may be (64 KB) would take gigabytes.
 */
export const MAX_KEPT_BODY = 2_048;
/** While so much of one call waits for Postgres, the call is not polled. */
const MAX_UNWRITTEN = { reports: 50, characters: 128 * 1_024 };

/** The archive, as far as a follower needs it. */
export interface ReportingArchive {
  report(report: Report): Promise<FollowedCall | null>;
}

/**
 * Writes what one lease has to report of its call. It writes reports in the order they were sent, each once the one
 * before is committed. While Postgres is away reports wait here, and the lease polls on.
 */
export class Recorder {
  readonly #archive: ReportingArchive;
  readonly #callSid: string;
  /** The call's state once all reports are written. */
  state: CallState;
  #isErased = false;
  /** Reports that are not committed, in order. The first one is being written. */
  readonly #queue: Report[] = [];
  #writing: Promise<void> | null = null;
  #failure: Error | null = null;
  /**
   * Called when all is written, or when nothing more will be. A lease that waits no longer takes its callback back; a
   * promise would keep what waited for it in memory until Postgres is back.
   */
  onIdle: (() => void) | null = null;
  /** Polls since the last report. */
  #polls = 0;
  #failedPolls = 0;
  /** undefined before the lease's first poll. */
  #lastError: string | null | undefined;
  /** The last report that told of polls told of a failure. */
  #hasToldFailure = false;
  /** When the last answer without news came, in epoch milliseconds; null where a report has told it. */
  #seenAgainAt: number | null = null;
  /** Of that answer; null where the archive has it. */
  #lastBody: string | null = null;
  /** Of the last body that was too large to be kept; it is in a report. */
  #largeBodyDigest = '';

  constructor(archive: ReportingArchive, call: FollowedCall) {
    this.#archive = archive;
    this.#callSid = call.callSid;
    this.state = call.state;
  }

  /** `error` is null where the poll brought a status. */
  countPoll(error: string | null): void {
    this.#polls++;
    if (error !== null) this.#failedPolls++;
    this.#lastError = error;
  }

  /** An answer came at `at`, in epoch milliseconds, and brought no news. The next report tells of it. */
  sawAgain(body: string, at: number): void {
    this.#seenAgainAt = at;
    this.#lastBody = body;
    if (body.length > MAX_KEPT_BODY) this.#passOn(body);
  }

  /** A large body goes into a report at once where it is another one than before, and nowhere else. */
  #passOn(body: string): void {
    const digest = createHash('sha256').update(body).digest('base64');
    if (digest === this.#largeBodyDigest) this.#lastBody = null;
    else this.send({});
    this.#largeBodyDigest = digest;
  }

  /** The archive shows a failure, or will once all is written. */
  get hasToldFailure(): boolean {
    return this.#hasToldFailure;
  }

  /** Sends a report with the counters since the one before. `state` is the call's state after it. */
  send(part: Omit<Report, 'callSid'>, state = this.state): void {
    this.state = state;
    const report: Report = {
      callSid: this.#callSid,
      polls: this.#polls,
      failedPolls: this.#failedPolls,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(this.#seenAgainAt === null
        ? {}
        : {
            lastSeenAt: new Date(this.#seenAgainAt),
            ...(this.#lastBody === null ? {} : { lastBody: this.#lastBody }),
          }),
      ...part,
    };
    if (this.#lastError !== undefined) this.#hasToldFailure = this.#lastError !== null;
    this.#polls = 0;
    this.#failedPolls = 0;
    this.#seenAgainAt = null;
    this.#lastBody = null;
    const last = this.#queue.length > 1 ? this.#queue.pop() : undefined;
    this.#queue.push(...(last === undefined ? [report] : merged(last, report)));
    this.#writing ??= this.#write();
  }

  /** How many reports are not committed. Throws what the archive rejected a report with: none after it is written. */
  get unwritten(): number {
    if (this.#failure !== null) throw this.#failure;
    return this.#queue.length;
  }

  /** So much waits for Postgres that the call should not be polled before some of it is written. */
  get isFull(): boolean {
    if (this.unwritten > MAX_UNWRITTEN.reports) return true;
    let characters = 0;
    for (const { sighting, lastBody } of this.#queue) {
      characters += (sighting?.body.length ?? 0) + (lastBody?.length ?? 0);
    }
    return characters > MAX_UNWRITTEN.characters;
  }

  /** Resolves when every report is committed; rejects as `unwritten` throws. */
  async written(): Promise<void> {
    await this.#writing;
    if (this.#failure !== null) throw this.#failure;
  }

  /** The call is settled, or erased. */
  get isOver(): boolean {
    return this.#isErased || this.state.outcome !== null;
  }

  async #write(): Promise<void> {
    try {
      for (let [next] = this.#queue; next !== undefined; [next] = this.#queue) {
        const call = await this.#archive.report(next);
        this.#queue.shift();
        if (call === null) this.#isErased = true;
        // It tells what other followers wrote too, but not what is still to be written here.
        else if (this.#queue.length === 0 || call.state.outcome !== null) this.state = call.state;
      }
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    } finally {
      this.#writing = null;
      this.onIdle?.();
    }
  }
}

/** Makes one report of two where the later has no news: in a long outage of Postgres only news pile up. */
function merged(before: Report, after: Report): Report[] {
  if (after.sighting !== undefined || after.conclusion !== undefined) return [before, after];
  const polls = (before.polls ?? 0) + (after.polls ?? 0);
  const failedPolls = (before.failedPolls ?? 0) + (after.failedPolls ?? 0);
  return [{ ...before, ...after, polls, failedPolls }];
}
