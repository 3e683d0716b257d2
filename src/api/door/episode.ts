interface EpisodeOptions {
  /** It is over when it has not happened for so long. */
  quietMs: number;
  onBegin: () => void;
  /** Told how often it happened. */
  onEnd: (times: number) => void;
}

/** What may happen thousands of times in a row, and is told twice: when it begins and when it is over. */
export class Episode {
  readonly #onBegin: () => void;
  readonly #onEnd: (times: number) => void;
  readonly #quietMs: number;
  #times = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ quietMs, onBegin, onEnd }: EpisodeOptions) {
    this.#quietMs = quietMs;
    this.#onBegin = onBegin;
    this.#onEnd = onEnd;
  }

  happened(): void {
    this.#times++;
    if (this.#timer !== undefined) return void this.#timer.refresh();
    this.#timer = setTimeout(() => this.#end(), this.#quietMs).unref();
    this.#onBegin();
  }

  #end(): void {
    const times = this.#times;
    this.#times = 0;
    this.#timer = undefined;
    this.#onEnd(times);
  }
}
