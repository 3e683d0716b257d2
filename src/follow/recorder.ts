import type { CallState, FollowedCall, Report } from '../call/call.ts';

/** The archive, as far as a follower needs it. */
export interface ReportingArchive {
  report(report: Report): Promise<FollowedCall | null>;
}

/**
 * What one lease has to tell the archive of its call. Reports are written in the order they were sent, each when the
 * one before is committed; while Postgres is away they wait here, and the follower can go on.
 */
export class Recorder {
  readonly #archive: ReportingArchive;
  readonly #callSid: string;
  /** As the archive has it, with what is still to be written. */
  state: CallState;
  #erased = false;
  /** The first one is on its way. */
  readonly #queue: Report[] = [];
  #writing: Promise<void> | null = null;
  #failure: Error | null = null;
  /** Called when all is written, or nothing more will be: a promise for each who waits would outlast its waiting. */
  onIdle: (() => void) | null = null;
  /** Since the last report. */
  #polls = 0;
  #failedPolls = 0;
  #lastError: string | null | undefined;
  /** Of the last answer that was no news; in epoch milliseconds. */
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

  /** An answer that was no news, at so many epoch milliseconds: it goes with the next report. */
  sawAgain(body: string, at: number): void {
    this.#seenAgainAt = at;
    this.#lastBody = body;
  }

  /** Sends a report, with the counters so far; `state` is what it makes of the call. */
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

  /** How many reports are not committed. Throws what the archive rejected one with: the others are not written then. */
  get unwritten(): number {
    if (this.#failure !== null) throw this.#failure;
    return this.#queue.length;
  }

  /** Resolves when all that was sent is committed; rejects as `unwritten` throws. */
  async written(): Promise<void> {
    await this.#writing;
    if (this.#failure !== null) throw this.#failure;
  }

  /** The call is settled, or erased. */
  get isOver(): boolean {
    return this.#erased || this.state.outcome !== null;
  }

  async #write(): Promise<void> {
    try {
      for (let [next] = this.#queue; next !== undefined; [next] = this.#queue) {
        const call = await this.#archive.report(next);
        this.#queue.shift();
        if (call === null) this.#erased = true;
        // What another follower wrote of the call counts, but not before what is still to be written here.
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

/** Two reports as one where the later has no news, so that a long outage of Postgres piles up news alone. */
function merged(before: Report, after: Report): Report[] {
  if (after.sighting !== undefined || after.outcome !== undefined) return [before, after];
  const polls = (before.polls ?? 0) + (after.polls ?? 0);
  const failedPolls = (before.failedPolls ?? 0) + (after.failedPolls ?? 0);
  return [{ ...before, ...after, polls, failedPolls }];
}
