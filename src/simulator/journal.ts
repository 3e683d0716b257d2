import type { Fault } from './fault.ts';
import { onceSent, type WebRequest, type WebResponse } from './web-server.ts';

/** What an answer told of a call. */
export interface Shown {
  status: string;
  reason: string;
}

/** One status request as PolyAI would have it in its access log. */
export interface PollEntry {
  /** When it came, in milliseconds since the epoch. */
  at: number;
  /** When its answer was out to the last byte; null before that, and for good where it never was. */
  finishedAt: number | null;
  /** The answer's HTTP status; null as long as `finishedAt` is. */
  httpStatus: number | null;
  /** What a whole 200 answer of this call showed; null where there was none. */
  shown: Shown | null;
  /** `frozen`: of the connection it came over. */
  fault: Fault['kind'] | 'frozen' | null;
  /** Over a frozen connection: for how long nothing had been answered over it, in milliseconds. */
  silentMs?: number;
}

/** What was asked and shown: what the archive is held against. */
export class Journal {
  readonly #polls = new Map<string, PollEntry[]>();
  readonly #counts = new Map<string, number>();
  readonly #keep: boolean;
  total = 0;

  /** `keep: false` counts only, for loads under which the entries would fill the memory. */
  constructor(keep: boolean) {
    this.#keep = keep;
  }

  /**
   * A request has come, and `shown` is what its answer will show, if it gets through: the client may have gone
   * before, and has then seen nothing.
   */
  open(
    callSid: string,
    request: Pick<PollEntry, 'at' | 'fault' | 'silentMs'>,
    shown: Shown | null,
    { request: asking, response }: { request: WebRequest; response: WebResponse },
  ): void {
    this.total++;
    this.#counts.set(callSid, this.count(callSid) + 1);
    if (!this.#keep) return;
    const entry: PollEntry = { ...request, finishedAt: null, httpStatus: null, shown: null };
    const entries = this.#polls.get(callSid);
    if (entries === undefined) this.#polls.set(callSid, [entry]);
    else entries.push(entry);
    onceSent(asking, response, () => {
      entry.finishedAt = Date.now();
      entry.httpStatus = response.statusCode;
      entry.shown = shown;
    });
  }

  /** How often the call was asked for; counted also where the entries are not kept. */
  count(callSid: string): number {
    return this.#counts.get(callSid) ?? 0;
  }

  polls(callSid: string): readonly PollEntry[] {
    return this.#polls.get(callSid) ?? [];
  }

  /** The statuses that 200 answers showed, each run of the same once: what an archive can know of the call. */
  shownStatuses(callSid: string): string[] {
    const shown = this.polls(callSid).flatMap((poll) => (poll.shown === null ? [] : [poll.shown.status]));
    return shown.filter((status, index) => status !== shown[index - 1]);
  }
}
