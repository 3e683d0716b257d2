import DataLoader from 'dataloader';

const GATHER_MS = 3;
const MAX_ROWS = 500;

/**
 * A function of one item that runs as `run` of many: what comes within a few milliseconds goes in one batch. No more
 * than `atOnce` batches run at a time; what comes meanwhile is gathered on, in larger ones.
 */
export function batched<Item, Result>(
  run: (items: readonly Item[]) => Promise<readonly (Result | Error)[]>,
  { atOnce = 4 }: { atOnce?: number } = {},
): (item: Item) => Promise<Result> {
  let running = 0;
  const waiting: (() => void)[] = [];

  function begin(dispatch: () => void): void {
    if (running === atOnce) return void waiting.push(dispatch);
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
  return (item) => loader.load(item);
}
