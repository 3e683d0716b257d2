/**
 * JSON as SQL writes it: an expression of type `text`. Put together by `||`, a page of 100 calls takes Postgres 1.8 ms, by
 * `row_to_json` 2.1 ms, by `json_build_object` 2.5 ms.
 */

/** A field's name, and what it has: an expression for JSON. */
export type Field = readonly [name: string, json: string];

export function object(fields: readonly Field[]): string {
  const [open = '', ...more] = fields.map(([name, json]) => `"${name}":' || ${json}`);
  return ["'{", open, ...more.map((field) => ` || ',${field}`), " || '}'"].join('');
}

export const text = (column: string) => `coalesce(to_json(${column})::text, 'null')`;
/** Of a column that is never null. */
export const number = (column: string) => `${column}::text`;
/**
 * As JavaScript's `toISOString` writes it: of a column that has milliseconds and ends with the year 9999, as all of ours
 * do. `to_json` leaves out zeros at the end, so a microsecond is put there and cut off with what follows. `to_char` says
 * it in one call, and takes four times as long: with it a page takes Postgres a quarter more.
 */
export const time = (column: string) =>
  `coalesce(left(to_json(${column} at time zone 'UTC' + interval '1 us')::text, 24) || 'Z"', 'null')`;
