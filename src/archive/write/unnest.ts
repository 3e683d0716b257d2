/** What a column can be sent of, apart from times. */
type Value = string | number | boolean | Buffer | null;
type ValueType = 'bool' | 'bytea' | 'float8' | 'int' | 'int2' | 'int4' | 'int8' | 'text' | 'xid';

/** A column of rows on their way to Postgres: its name and type in SQL, and its value in a row. */
export type SentColumn<Row> =
  | readonly [name: string, type: ValueType, value: (row: Row) => Value]
  | readonly [name: string, type: 'timestamptz', value: (row: Row) => Date | null];

interface Unnested<Row> {
  /** The rows as a table `u`, for a `from`: what `unnest($1::text[], $2::int[])` has in them. */
  readonly sql: string;
  /** The statement's parameters: an array for each column. */
  values(rows: readonly Row[]): string[];
}

/**
 * Any number of rows as the parameters of one statement. Its text is the same for all numbers, so that a connection
 * parses and plans it once. A time goes as its milliseconds since 1970: to write and to read a date takes longer than
 * all else of a row.
 */
export function unnested<Row>(columns: readonly SentColumn<Row>[]): Unnested<Row> {
  const names = columns.map(([name]) => name);
  const arrays = columns.map(([, type], index) => `$${index + 1}::${isTime(type) ? 'float8' : type}[]`);
  const read = columns.map(([name, type]) =>
    isTime(type) ? `to_timestamp(${name} / 1000) as ${name}` : name,
  );
  return {
    sql: `(select ${read.join(', ')} from unnest(${arrays.join(', ')}) as sent(${names.join(', ')})) as u`,
    values: (rows) => columns.map(([, , value]) => arrayOf(rows.map((row) => value(row)))),
  };
}

const isTime = (type: string) => type === 'timestamptz';

/** As Postgres reads an array. pg writes it too, in three times the time. */
function arrayOf(values: readonly (Value | Date)[]): string {
  return `{${values.map(elementOf).join(',')}}`;
}

function elementOf(value: Value | Date): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string') return `"${/["\\]/.test(value) ? value.replace(/["\\]/g, '\\$&') : value}"`;
  if (Buffer.isBuffer(value)) return `"\\\\x${value.toString('hex')}"`;
  return String(value instanceof Date ? value.getTime() : value);
}
