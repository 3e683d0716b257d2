import type { CallState, FollowedCall, Report } from '../call/call.ts';

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
  /** When the last answer without news came, in epoch milliseconds; null where a report has told it. */
  #seenAgainAt: number | null = null;
  #lastBody = '';

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
        : { lastSeenAt: new Date(this.#seenAgainAt), lastBody: this.#lastBody }),
      ...part,
    };
    this.#polls = 0;
    this.#failedPolls = 0;
    this.#seenAgainAt = null;
    const last = this.#queue.length > 1 ? this.#queue.pop() : undefined;
    this.#queue.push(...(last === undefined ? [report] : merged(last, report)));
    this.#writing ??= this.#write();
  }

  /** How many reports are not committed. Throws what the archive rejected a report with: none after it is written. */
  get unwritten(): number {
    if (this.#failure !== null) throw this.#failure;
    return this.#queue.length;
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
  if (after.sighting !== undefined || after.outcome !== undefined) return [before, after];
  const polls = (before.polls ?? 0) + (after.polls ?? 0);
  const failedPolls = (before.failedPolls ?? 0) + (after.failedPolls ?? 0);
  return [{ ...before, ...after, polls, failedPolls }];
}
