import type { BasicType } from 'hyparquet-writer';
import { ByteWriter, ParquetWriter, schemaFromColumnData } from 'hyparquet-writer';
import { FLAT_FIELDS } from '../api/export-formats.ts';
import { CallJson } from '../api/schemas.ts';
import type { Call } from '../call/call.ts';

/** Held in memory at once. */
const ROWS_PER_GROUP = 10_000;

/** The columns of the csv, and the history as JSON. */
const COLUMNS = Object.entries({ ...FLAT_FIELDS, transitions: CallJson.properties.transitions }).map(
  ([name, schema]) => ({ name, ...columnType(schema) }),
);

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

/** A column's type by its JSON Schema: what is a time is kept as a time, what is no single value as JSON. */
function columnType(schema: object): { type: BasicType; nullable: boolean } {
  const types = 'type' in schema ? [schema.type].flat() : [];
  return { type: basicType(schema, types), nullable: types.includes('null') };
}

function basicType(schema: object, types: readonly unknown[]): BasicType {
  if ('format' in schema && schema.format === 'date-time') return 'TIMESTAMP';
  if (types.includes('string')) return 'STRING';
  return types.includes('integer') ? 'INT32' : 'JSON';
}

function columnData(calls: readonly Call[]) {
  const rows = calls.map(
    (call): Record<string, unknown> => ({ ...call, transitionCount: call.transitions.length }),
  );
  return COLUMNS.map((column) => ({ ...column, data: rows.map((row) => row[column.name]) }));
}

/** What was written since the last time; the writer goes on counting from where the file is. */
function taken(writer: ByteWriter): Uint8Array {
  const bytes = new Uint8Array(writer.getBuffer());
  writer.index = 0;
  return bytes;
}
