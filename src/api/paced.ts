interface Pace {
  /** Between the end of one reading and the next there is so long, */
  everyMs: number;
  /** or so many times what the last reading took, where that is more. */
  restFactor?: number;
}

/**
 * Returns a function that answers with the last reading, and reads anew where that is old enough: many who ask cost no
 * more than one. Rejects as the reading does, which is then asked for again at once.
 */
export function paced<T>(read: () => Promise<T>, { everyMs, restFactor = 0 }: Pace): () => Promise<T> {
  let reading: Promise<T> | null = null;
  let last: { value: T; until: number } | null = null;

  async function readAnew(): Promise<T> {
    const begunAt = performance.now();
    try {
      const value = await read();
      const endedAt = performance.now();
      last = { value, until: endedAt + Math.max(everyMs, restFactor * (endedAt - begunAt)) };
      return value;
    } finally {
      reading = null;
    }
  }

  return async () => {
    if (last !== null && performance.now() < last.until) return last.value;
    reading ??= readAnew();
    return reading;
  };
}
