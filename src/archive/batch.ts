import DataLoader from 'dataloader';

const GATHER_MS = 3;
const MAX_ROWS = 500;

/** A function of one item that runs as `run` of many: what comes within a few milliseconds goes in one batch. */
export function batched<Item, Result>(
  run: (items: readonly Item[]) => Promise<readonly (Result | Error)[]>,
): (item: Item) => Promise<Result> {
  const loader = new DataLoader<Item, Result>(run, {
    cache: false,
    maxBatchSize: MAX_ROWS,
    batchScheduleFn: (dispatch) => setTimeout(dispatch, GATHER_MS),
  });
  return (item) => loader.load(item);
}
