import { stringify } from 'csv-stringify/sync';
import { Type } from 'typebox';
import { CallJson } from './schemas.ts';

/** Calls as JSON, each as `GET /v1/calls/{callSid}` answers it. */
export type Batches = AsyncIterable<readonly string[]>;

/** One call per line. */
export async function* ndjson(batches: Batches): AsyncGenerator<string> {
  for await (const calls of batches) yield calls.map((call) => `${call}\n`).join('');
}

const { metadata, transitions, ...single } = CallJson.properties;

/**
 * The columns of a flat export with their schemas: the fields of a call as the API answers it, those that are single
 * values first, and the number of its transitions in the place of them.
 */
export const FLAT_FIELDS = { ...single, metadata, transitionCount: Type.Integer() };

/** The columns of the csv. */
export const COLUMNS = Object.keys(FLAT_FIELDS);

/**
 * RFC 4180 with a header. Text that a spreadsheet would take for a formula, a phone number with its plus among them,
 * gets an apostrophe in front.
 */
export async function* csv(batches: Batches): AsyncGenerator<string> {
  yield `${COLUMNS.join(',')}\r\n`;
  for await (const calls of batches) {
    yield stringify(calls.map(record), {
      columns: COLUMNS,
      record_delimiter: 'windows',
      // By default only a whole CRLF makes it quote a text.
      quoted_match: /[\r\n]/,
      escape_formulas: true,
      // It does not see a formula behind a line feed.
      cast: { string: (text) => (text.startsWith('\n') ? `'${text}` : text) },
    });
  }
}

/**
 * A csv for spreadsheets: without the mark Excel takes UTF-8 for an encoding of its country. Not by default, since to many
 * other programs it is a part of the first column's name.
 */
export async function* withBom(
  chunks: AsyncIterable<string | Uint8Array>,
): AsyncGenerator<string | Uint8Array> {
  yield '\ufeff';
  yield* chunks;
}

function record(json: string): Record<string, unknown> {
  const { metadata, transitions, ...call }: CallJson = JSON.parse(json);
  return { ...call, metadata: JSON.stringify(metadata), transitionCount: transitions.length };
}
