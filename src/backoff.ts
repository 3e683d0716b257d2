/** Bounds of the wait between two tries, in milliseconds. */
export interface RetryBounds {
  firstMs: number;
  maxMs: number;
}

/**
 * The milliseconds to wait after the n-th failure in a row, counted from 1. Their ceiling doubles from `firstMs` up to
 * `maxMs`; the wait is a random share of it between a half and the whole, so that those who failed together do not try
 * again together. `random` gives numbers in [0, 1).
 */
export function retryDelay(failures: number, { firstMs, maxMs }: RetryBounds, random: () => number): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** (failures - 1));
  return ceiling * (0.5 + random() / 2);
}
