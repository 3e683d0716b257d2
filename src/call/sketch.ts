/**
 * Durations by size, so that their percentiles are known within 1 % whatever their number: DDSketch (Masson, Rim and Lee,
 * 2019). Two sketches add up exactly, and one can be taken out of another: no package's that is kept well does that.
 *
 * Bin 0 has the durations of 0 ms, bin n those above GAMMA^(n - 2) up to GAMMA^(n - 1) ms.
 */

/** A little less than 1 %, for what rounding adds. */
const RELATIVE_ERROR = 0.0099;
const GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const LOG_GAMMA = Math.log(GAMMA);
/** Bins are made room for so many at a time. */
const ROOM = 64;

function binOf(ms: number): number {
  return ms < 1 ? 0 : 1 + Math.ceil(Math.log(ms) / LOG_GAMMA);
}

/** As far from the least of the bin's durations as from the greatest, relative to them. */
function durationOf(bin: number): number {
  return bin === 0 ? 0 : (2 * GAMMA ** (bin - 1)) / (GAMMA + 1);
}

/** Whole milliseconds, 0 or more. A count is below 0 while what is taken out comes before what was added. */
export class Sketch {
  /** The counts of the bins from `#first` on. */
  #counts = new Float64Array(0);
  #first = 0;

  add(ms: number, times = 1): void {
    const bin = binOf(ms);
    this.#makeRoom(bin, bin);
    this.#increase(bin, times);
  }

  /** Adds another sketch, or with `times` -1 takes it out. */
  merge(other: Sketch, times = 1): void {
    other.#eachCount((bin, count) => {
      this.#makeRoom(bin, bin);
      this.#increase(bin, count * times);
    });
  }

  /** As `merge`, of what `toBytes` has made. */
  mergeBytes(bytes: Uint8Array, times = 1): void {
    let bin = 0;
    for (let at = 0; at < bytes.length; ) {
      const step = readNumber(bytes, at);
      const count = readNumber(bytes, step.end);
      bin += step.value;
      at = count.end;
      this.#makeRoom(bin, bin);
      this.#increase(bin, unsigned(count.value) * times);
    }
  }

  /** How many durations it has. */
  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  get isEmpty(): boolean {
    return this.#counts.every((count) => count === 0);
  }

  /**
   * The duration, in milliseconds, that the fraction of all is below, between the closest ranks: each of the two is
   * known within 1 %, and so is what lies between. null where there is none.
   */
  quantile(fraction: number): number | null {
    const { count } = this;
    if (count <= 0) return null;
    const rank = fraction * (count - 1);
    const low = this.#ranked(Math.floor(rank));
    return low + (this.#ranked(Math.ceil(rank)) - low) * (rank - Math.floor(rank));
  }

  /** For each bin that has a count: how far it is from the one before, and the count. */
  toBytes(): Uint8Array {
    const bytes: number[] = [];
    let last = 0;
    this.#eachCount((bin, count) => {
      writeNumber(bytes, bin - last);
      writeNumber(bytes, count < 0 ? -2 * count - 1 : 2 * count);
      last = bin;
    });
    return Uint8Array.from(bytes);
  }

  #ranked(rank: number): number {
    let before = 0;
    for (const [index, count] of this.#counts.entries()) {
      before += count;
      if (before > rank) return durationOf(this.#first + index);
    }
    return durationOf(this.#first + this.#counts.length - 1);
  }

  #eachCount(tell: (bin: number, count: number) => void): void {
    for (const [index, count] of this.#counts.entries()) if (count !== 0) tell(this.#first + index, count);
  }

  #increase(bin: number, by: number): void {
    const index = bin - this.#first;
    this.#counts[index] = (this.#counts[index] ?? 0) + by;
  }

  #makeRoom(from: number, to: number): void {
    const end = this.#first + this.#counts.length;
    if (from >= this.#first && to < end) return;
    const isEmpty = this.#counts.length === 0;
    const first = Math.max(0, isEmpty ? from - ROOM : Math.min(this.#first, from - ROOM));
    const counts = new Float64Array(Math.max(isEmpty ? 0 : end, to + ROOM) - first);
    counts.set(this.#counts, isEmpty ? 0 : this.#first - first);
    this.#counts = counts;
    this.#first = first;
  }
}

/** Seven bits a byte, the lowest first; the eighth says that there are more. Numbers up to 2^53. */
function writeNumber(bytes: number[], value: number): void {
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
}

function readNumber(bytes: Uint8Array, start: number): { value: number; end: number } {
  let value = 0;
  let factor = 1;
  for (let at = start; ; at++, factor *= 128) {
    const byte = bytes[at] ?? 0;
    value += (byte % 128) * factor;
    if (byte < 128) return { value, end: at + 1 };
  }
}

/** Even numbers are counts, odd ones those below 0. */
function unsigned(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
