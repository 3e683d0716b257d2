/** What a column can be sent of. */
type Value = string | number | boolean | Date | Buffer | null;

/** A column of rows on their way to Postgres: its name and type in SQL, and its value in a row. */
export type SentColumn<Row> = readonly [name: string, type: string, value: (row: Row) => Value];

interface Unnested<Row> {
  /** The rows as a table `u`, for a `from`: `unnest($1::text[], $2::int[]) as u(call_sid, polls)`. */
  readonly sql: string;
  /** The statement's parameters: an array for each column. */
  values(rows: readonly Row[]): string[];
}

/**
 * Any number of rows as the parameters of one statement. Its text is the same for all numbers, so that a connection
 * parses and plans it once.
 */
export function unnested<Row>(columns: readonly SentColumn<Row>[]): Unnested<Row> {
  const names = columns.map(([name]) => name);
  const arrays = columns.map(([, type], index) => `$${index + 1}::${type}[]`);
  return {
    sql: `unnest(${arrays.join(', ')}) as u(${names.join(', ')})`,
    values: (rows) => columns.map(([, , value]) => arrayOf(rows.map((row) => value(row)))),
  };
}

/** As Postgres reads an array. pg writes it too, in three times the time, and times in that of the process' zone. */
function arrayOf(values: readonly Value[]): string {
  return `{${values.map(elementOf).join(',')}}`;
}

function elementOf(value: Value): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string') return `"${/["\\]/.test(value) ? value.replace(/["\\]/g, '\\$&') : value}"`;
  if (Buffer.isBuffer(value)) return `"\\\\x${value.toString('hex')}"`;
  return value instanceof Date ? value.toISOString() : String(value);
}
