import type { BasicType } from 'hyparquet-writer';
import { ByteWriter, ParquetWriter, schemaFromColumnData } from 'hyparquet-writer';
import { type Batches, FLAT_FIELDS } from '../api/export-formats.ts';
import { CallJson } from '../api/schemas.ts';

/** Held in memory at once. */
const ROWS_PER_GROUP = 10_000;

/** The columns of the csv, and the history as JSON. */
const COLUMNS = Object.entries({ ...FLAT_FIELDS, transitions: CallJson.properties.transitions }).map(
  ([name, schema]) => ({ name, ...columnType(schema) }),
);

/** A Parquet file, a row group at a time. */
export async function* parquet(batches: Batches): AsyncGenerator<Uint8Array> {
  const writer = new ByteWriter();
  const file = new ParquetWriter({ writer, schema: schemaFromColumnData({ columnData: columnData([]) }) });
  const write = (calls: readonly string[]) => {
    file.write({ columnData: columnData(calls), rowGroupSize: ROWS_PER_GROUP });
    return taken(writer);
  };

  let group: string[] = [];
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

function columnData(calls: readonly string[]) {
  const rows = calls.map((json): Record<string, unknown> => {
    const call: CallJson = JSON.parse(json);
    return { ...call, transitionCount: call.transitions.length };
  });
  return COLUMNS.map(({ name, type, nullable }) => ({
    name,
    type,
    nullable,
    data: rows.map((row) => cell(row[name], type)),
  }));
}

/** JSON has times as text. */
function cell(value: unknown, type: BasicType): unknown {
  return type === 'TIMESTAMP' && typeof value === 'string' ? new Date(value) : value;
}

/** What was written since the last time; the writer goes on counting from where the file is. */
function taken(writer: ByteWriter): Uint8Array {
  const bytes = new Uint8Array(writer.getBuffer());
  writer.index = 0;
  return bytes;
}
