import type { BasicType } from 'hyparquet-writer';
import { ByteWriter, ParquetWriter, schemaFromColumnData } from 'hyparquet-writer';
import type { Call } from '../call/call.ts';

/** Held in memory at once. */
const ROWS_PER_GROUP = 10_000;

interface Column {
  name: string;
  type: BasicType;
  nullable: boolean;
  value: (call: Call) => unknown;
}

const column = (name: string, type: BasicType, value: Column['value']): Column => ({
  name,
  type,
  nullable: true,
  value,
});
const required = (...of: Parameters<typeof column>): Column => ({ ...column(...of), nullable: false });

/** Those of the csv, and the history as JSON. */
const COLUMNS: readonly Column[] = [
  required('callSid', 'STRING', (call) => call.callSid),
  required('account', 'STRING', (call) => call.account),
  column('status', 'STRING', (call) => call.status),
  column('outcome', 'STRING', (call) => call.outcome),
  column('reason', 'STRING', (call) => call.reason),
  required('registeredAt', 'TIMESTAMP', (call) => call.registeredAt),
  column('createdAt', 'TIMESTAMP', (call) => call.createdAt),
  column('lastUpdated', 'TIMESTAMP', (call) => call.lastUpdated),
  column('firstSeenAt', 'TIMESTAMP', (call) => call.firstSeenAt),
  column('lastSeenAt', 'TIMESTAMP', (call) => call.lastSeenAt),
  column('settledAt', 'TIMESTAMP', (call) => call.settledAt),
  required('polls', 'INT32', (call) => call.polls),
  required('failedPolls', 'INT32', (call) => call.failedPolls),
  column('lastError', 'STRING', (call) => call.lastError),
  required('metadata', 'JSON', (call) => call.metadata),
  required('transitionCount', 'INT32', (call) => call.transitions.length),
  required('transitions', 'JSON', (call) => call.transitions),
];

/** A Parquet file, a row group at a time. */
export async function* parquet(batches: AsyncIterable<Call[]>): AsyncGenerator<Uint8Array> {
  const writer = new ByteWriter();
  const file = new ParquetWriter({ writer, schema: schemaFromColumnData({ columnData: columnData([]) }) });
  const write = (calls: Call[]) => {
    file.write({ columnData: columnData(calls), rowGroupSize: ROWS_PER_GROUP });
    return taken(writer);
  };

  let group: Call[] = [];
  for await (const calls of batches) {
    group.push(...calls);
    if (group.length < ROWS_PER_GROUP) continue;
    yield write(group);
    group = [];
  }
  if (group.length > 0) yield write(group);
  file.finish();
  yield taken(writer);
}

function columnData(calls: readonly Call[]) {
  return COLUMNS.map(({ value, ...rest }) => ({ ...rest, data: calls.map(value) }));
}

/** What was written since the last time; the writer goes on counting from where the file is. */
function taken(writer: ByteWriter): Uint8Array {
  const bytes = new Uint8Array(writer.getBuffer());
  writer.index = 0;
  return bytes;
}
