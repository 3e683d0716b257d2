import { type Answer, type AnswerLimits, PendingAnswer } from './answer.ts';
import type { OutgoingRequest, Sender } from './connections.ts';

const LOOK_EVERY_MS = 100;

/**
 * Sends requests. One timer looks at all pending answers together, ten times a second: with a timer and an abort
 * listener per request, each poll would make both and throw them away.
 */
export class Transport {
  readonly #sender: Sender;
  readonly #pending: PendingAnswer[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  /**
   * Sends the request once. Rejects with `PolyAiError`: `unreachable` or `unavailable` where no whole answer came in
   * time, `malformed` where a 200 is too large. Rejects with the signal's reason where the signal was aborted and no
   * answer came within another 2 s.
   */
  ask(request: OutgoingRequest, limits: AnswerLimits, signal?: AbortSignal): Promise<Answer> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    // A process that was held up (paused, or short of CPU) finds time-outs and answers that came long ago at once, and
    // timers go first: so it reads, and then looks.
    this.#timer ??= setInterval(() => setImmediate(() => this.#look()), LOOK_EVERY_MS);
    return new PendingAnswer(this.#sender, request, limits, this.#pending, signal).answer;
  }

  /** Resolves when no answer is pending, which each has its time limit for. */
  async idle(): Promise<void> {
    while (this.#pending.length > 0) {
      await Promise.allSettled(this.#pending.map(({ answer }) => answer));
    }
  }

  #look(): void {
    const now = performance.now();
    // From the end: an answer that leaves the list is replaced by the last one, which was looked at already.
    for (let place = this.#pending.length - 1; place >= 0; place--) this.#pending[place]?.look(now);
    if (this.#pending.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
