import type { Fault } from './fault.ts';

/** One status request as PolyAI would have it in its access log. */
export interface PollEntry {
  /** When it came, in milliseconds since the epoch. */
  at: number;
  /** What a 200 answer showed, or null where it was none. */
  shown: { status: string; reason: string } | null;
  fault: Fault['kind'] | null;
}

/** What was asked and shown: what the archive is held against. */
export class Journal {
  readonly #polls = new Map<string, PollEntry[]>();
  readonly #keep: boolean;
  total = 0;

  /** `keep: false` counts only, for loads under which the entries would fill the memory. */
  constructor(keep: boolean) {
    this.#keep = keep;
  }

  add(callSid: string, entry: PollEntry): void {
    this.total++;
    if (!this.#keep) return;
    const entries = this.#polls.get(callSid);
    if (entries === undefined) this.#polls.set(callSid, [entry]);
    else entries.push(entry);
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
