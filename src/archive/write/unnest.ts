/** What a column can be sent of, apart from times. */
type Value = string | number | boolean | Buffer | null;
type ValueType = 'bool' | 'bytea' | 'float8' | 'int' | 'int2' | 'int4' | 'int8' | 'text' | 'xid';

/** A column of rows on their way to Postgres: its name and type in SQL, and its value in a row; of the first never null. */
export type SentColumn<Row> =
  | readonly [name: string, type: ValueType, value: (row: Row) => Value]
  | readonly [name: string, type: 'timestamptz', value: (row: Row) => Date | null];

interface Unnested<Row> {
  /** The rows as a table `u`, for a `from`: `unnest($1::text[], $2::int[]) as u (name, polls)`. */
  readonly sql: string;
  /** The statement's parameters: an array for each column. */
  values(rows: readonly Row[]): (string | Buffer)[];
}

/**
 * Any number of rows as the parameters of one statement. Its text is the same for all numbers, so that a connection
 * parses and plans it once.
 */
export function unnested<Row>(columns: readonly SentColumn<Row>[]): Unnested<Row> {
  const names = columns.map(([name]) => name);
  const arrays = columns.map(([, type], index) => `$${index + 1}::${type}[]`);
  return {
    sql: `unnest(${arrays.join(', ')}) as u (${names.join(', ')})`,
    values: (rows) => columns.map((column) => arrayOf(rows, column)),
  };
}

const arrayOf = <Row>(rows: readonly Row[], [, type, value]: SentColumn<Row>): string | Buffer =>
  type === 'timestamptz' ? timesOf(rows, value) : textOf(rows, value);

/**
 * As Postgres reads an array. pg writes it too, in three times the time. It ends with the last value that is not null:
 * `unnest` makes the others of nothing, and most columns are null in most rows.
 */
function textOf<Row>(rows: readonly Row[], value: (row: Row) => Value): string {
  const elements: string[] = [];
  let length = 0;
  for (const row of rows) {
    const element = elementOf(value(row));
    elements.push(element);
    if (element !== NULL) length = elements.length;
  }
  elements.length = length;
  return `{${elements.join(',')}}`;
}

const NULL = 'NULL';

function elementOf(value: Value): string {
  if (value === null) return NULL;
  if (typeof value === 'string') return `"${/["\\]/.test(value) ? value.replace(/["\\]/g, '\\$&') : value}"`;
  if (Buffer.isBuffer(value)) return `"\\\\x${value.toString('hex')}"`;
  return String(value);
}

const TIMESTAMPTZ = 1184;
const MS_BEFORE_2000 = Date.UTC(2000, 0);
const HEAD_BYTES = 20;
const ELEMENT_BYTES = 12;

/**
 * Times as the protocol has them in binary, microseconds since 2000: as text Postgres takes longer to read one than all
 * else of a row. It too ends with the last value that is not null.
 */
function timesOf<Row>(rows: readonly Row[], value: (row: Row) => Date | null): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + ELEMENT_BYTES * rows.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let [count, length, end, at] = [0, 0, HEAD_BYTES, HEAD_BYTES];
  for (const row of rows) {
    const time = value(row);
    count++;
    view.setInt32(at, time === null ? -1 : 8);
    at += 4;
    if (time === null) continue;
    view.setBigInt64(at, BigInt(time.getTime() - MS_BEFORE_2000) * 1000n);
    at += 8;
    length = count;
    end = at;
  }
  // One dimension, from 1 on; an empty array has none.
  const head = [length === 0 ? 0 : 1, 1, TIMESTAMPTZ, length, 1];
  for (const [index, number] of head.entries()) view.setInt32(4 * index, number);
  return bytes.subarray(0, length === 0 ? 12 : end);
}
