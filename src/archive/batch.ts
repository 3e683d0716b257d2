import { AsyncResource } from 'node:async_hooks';
import DataLoader from 'dataloader';
import { ArchiveUnavailableError } from './errors.ts';

const GATHER_MS = 3;
const MAX_ROWS = 500;

interface BatchOptions {
  /** Batches that run at a time. */
  atOnce?: number;
  /** Items that wait or run at a time. One beyond them is refused with `ArchiveUnavailableError`. */
  atMost?: number;
}

/**
 * A function of one item that runs as `run` of many: what comes within a few milliseconds goes in one batch. No more
 * than `atOnce` batches run at a time; what comes meanwhile is gathered on, in larger ones.
 */
export function batched<Item, Result>(
  run: (items: readonly Item[]) => Promise<readonly (Result | Error)[]>,
  { atOnce = 4, atMost = Number.POSITIVE_INFINITY }: BatchOptions = {},
): (item: Item) => Promise<Result> {
  let running = 0;
  let items = 0;
  const waiting: (() => void)[] = [];

  /** For traces a batch is a part of the request that began it, whichever batch it has waited for. */
  function begin(dispatch: () => void): void {
    if (running === atOnce) return void waiting.push(AsyncResource.bind(dispatch));
    running++;
    dispatch();
  }

  function end(): void {
    running--;
    const next = waiting.shift();
    if (next !== undefined) begin(next);
  }

  const loader = new DataLoader<Item, Result>((items) => run(items).finally(end), {
    cache: false,
    maxBatchSize: MAX_ROWS,
    batchScheduleFn: (dispatch) => setTimeout(begin, GATHER_MS, dispatch),
  });
  // An item that waits takes some 300 bytes less without this frame.
  if (atMost === Number.POSITIVE_INFINITY) return (item) => loader.load(item);
  return async (item) => {
    if (items >= atMost) throw new ArchiveUnavailableError(`${atMost} requests wait for Postgres already`);
    items++;
    try {
      return await loader.load(item);
    } finally {
      items--;
    }
  };
}
