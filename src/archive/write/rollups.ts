import type { ClientBase } from 'pg';
import { addNumbers, addSum, emptySum, isZero, type RollupSum } from '../rollup-sum.ts';
import { type SentColumn, unnested } from './unnest.ts';

/** Whoever writes rollups holds this advisory lock: one transaction at a time. */
export const ROLLUPS_LOCK = 7_066_521_394;

/** Which row of rollups. */
export interface RollupGroup {
  level: number;
  bucket: number;
  key: number;
  account: number;
  outcome: number;
  value: string | null;
}

/** Sums by their groups: what is to be added to the rollups. */
export interface RollupSums {
  of(group: RollupGroup): RollupSum;
  entries(): Iterable<readonly [RollupGroup, RollupSum]>;
}

export function createRollupSums(): RollupSums {
  const sums = new Map<string, readonly [RollupGroup, RollupSum]>();
  return {
    of({ level, bucket, key, account, outcome, value }) {
      const name = JSON.stringify([level, bucket, key, account, outcome, value]);
      let found = sums.get(name);
      if (found === undefined) {
        found = [{ level, bucket, key, account, outcome, value }, emptySum()];
        sums.set(name, found);
      }
      return found[1];
    },
    entries: () => sums.values(),
  };
}

function groupColumns<Row>(groupOf: (row: Row) => RollupGroup): SentColumn<Row>[] {
  return [
    ['level', 'int2', (row) => groupOf(row).level],
    ['bucket', 'int', (row) => groupOf(row).bucket],
    ['key', 'int', (row) => groupOf(row).key],
    ['account', 'int', (row) => groupOf(row).account],
    ['outcome', 'int2', (row) => groupOf(row).outcome],
    ['value', 'text', (row) => groupOf(row).value],
  ];
}

const GROUPS = unnested(groupColumns<RollupGroup>((group) => group));
const ROWS = unnested<readonly [RollupGroup, RollupSum]>([
  ...groupColumns<readonly [RollupGroup, RollupSum]>(([group]) => group),
  ['calls', 'int', ([, { calls }]) => calls],
  ['settle_ms', 'int8', ([, { settleMs }]) => settleMs],
  ['polls', 'int8', ([, { polls }]) => polls],
  ['failed_polls', 'int8', ([, { failedPolls }]) => failedPolls],
  ['queued', 'bytea', ([, { queued }]) => bytesOf(queued)],
  ['calling', 'bytea', ([, { calling }]) => bytesOf(calling)],
]);

/** By the index, and then by the value itself: two values may have one hash. */
const IS_SAME = `
r.key = u.key and r.level = u.level and r.bucket = u.bucket and r.account = u.account
and coalesce(hashtext(r.value), 0) = coalesce(hashtext(u.value collate "C"), 0)
and r.outcome = u.outcome and r.value is not distinct from u.value`;

const SELECT = `
select r.level, r.bucket, r.key, r.account, r.outcome, r.value, r.calls, r.settle_ms, r.polls, r.failed_polls, r.queued,
       r.calling
  from ${GROUPS.sql} join polykeep_internal.rollups r on ${IS_SAME}`;
const COLUMNS =
  'level, bucket, key, account, outcome, value, calls, settle_ms, polls, failed_polls, queued, calling';
const INSERT = `insert into polykeep_internal.rollups (${COLUMNS}) select ${COLUMNS} from ${ROWS.sql}`;
const UPDATE = `
update polykeep_internal.rollups r
   set calls = u.calls, settle_ms = u.settle_ms, polls = u.polls, failed_polls = u.failed_polls, queued = u.queued,
       calling = u.calling
  from ${ROWS.sql}
 where ${IS_SAME}`;
const DELETE = `delete from polykeep_internal.rollups r using ${GROUPS.sql} where ${IS_SAME}`;

/** A row of rollups. */
export interface RollupRow extends RollupGroup {
  calls: number;
  settle_ms: string;
  polls: string;
  failed_polls: string;
  queued: Uint8Array | null;
  calling: Uint8Array | null;
}

/** Adds the sums to the rollups, in a transaction that holds `ROLLUPS_LOCK`. A group of which nothing is left goes. */
export async function addSums(client: ClientBase, added: RollupSums): Promise<void> {
  const changes = [...added.entries()].filter(([, sum]) => !isZero(sum));
  if (changes.length === 0) return;
  const before = createRollupSums();
  const values = GROUPS.values(changes.map(([group]) => group));
  const { rows } = await client.query<RollupRow>({ name: 'rollups_of', text: SELECT, values });
  for (const row of rows) mergeRow(before.of(row), row);
  const isThere = new Set([...before.entries()].map(([, sum]) => sum));
  const after = changes.map(([group, change]): [RollupGroup, RollupSum, boolean] => {
    const sum = before.of(group);
    addSum(sum, change);
    return [group, sum, isThere.has(sum)];
  });
  await write(client, after);
}

/** Adds what the row has to the sum, or with `sign` -1 takes it out. */
export function mergeRow(sum: RollupSum, row: RollupRow, sign = 1): void {
  addNumbers(sum, row, sign);
  if (row.queued !== null) sum.queued.mergeBytes(row.queued, sign);
  if (row.calling !== null) sum.calling.mergeBytes(row.calling, sign);
}

async function write(
  client: ClientBase,
  rows: readonly (readonly [RollupGroup, RollupSum, isThere: boolean])[],
): Promise<void> {
  const gone = rows.filter(([, sum, isThere]) => isThere && isZero(sum));
  const kept = rows.filter(([, sum]) => !isZero(sum));
  const send = async (name: string, text: string, values: (string | Buffer)[], count: number) =>
    count > 0 && (await client.query({ name, text, values }));
  const of = (isWanted: boolean) =>
    kept.filter(([, , isThere]) => isThere === isWanted).map(([group, sum]) => [group, sum] as const);
  await send('delete_rollups', DELETE, GROUPS.values(gone.map(([group]) => group)), gone.length);
  await send('update_rollups', UPDATE, ROWS.values(of(true)), of(true).length);
  await send('insert_rollups', INSERT, ROWS.values(of(false)), of(false).length);
}

function bytesOf(sketch: RollupSum['queued']): Buffer | null {
  return sketch.isEmpty ? null : Buffer.from(sketch.toBytes());
}
