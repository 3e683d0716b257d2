import { isUtf8 } from 'node:buffer';
import { pipeline } from 'node:stream';
import { type CsvError, type Info, parse } from 'csv-parse';
import { CallsFileError } from './calls-file-error.ts';
import { type FileCall, wrongIn } from './file-call.ts';
import { type Column, nameOf, ONE_PER_LINE, readHeader } from './file-header.ts';

/** A line that is as it may be posted, or why it is not. */
export type FileLine = { line: number; bytes: number } & Read;
type Read = { kind: 'call'; call: FileCall } | { kind: 'invalid'; callSid: string | null; error: string };

const BOM = Buffer.from('\ufeff');
/** What a quote that is never closed may swallow before it is found out. No call that polykeep takes is so large. */
const MAX_RECORD = 100_000;

const WHAT: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote that was opened in this line, or before it, is never closed',
  CSV_MAX_RECORD_SIZE: 'has more than 100 kB, or a quote that is never closed',
};

interface ParsedRecord {
  record: Uint8Array[];
  info: Info & { bytes: number };
}

/**
 * The calls of a csv with a header, or of a file with one callSid per line, in constant memory; each fits what the API
 * asks of a registration. `bytes` is how much of the file was read up to there. Throws `CallsFileError` where the file
 * is neither.
 */
export async function* readCalls(file: AsyncIterable<Uint8Array>): AsyncGenerator<FileLine> {
  const parser = parse({
    // Bytes: as text, what is no UTF-8 would be replaced and never be seen.
    encoding: null,
    record_delimiter: ['\r\n', '\n', '\r'],
    info: true,
    relax_column_count: true,
    relax_quotes: true,
    max_record_size: MAX_RECORD,
  });
  // An error comes out of the parser, where it is read below; a parser that is left closes the file.
  pipeline(file, withoutBom, parser, () => {});
  let columns: Column[] | null = null;
  try {
    for await (const parsed of parser) {
      const { record, info }: ParsedRecord = parsed;
      const values = record.map(textOf);
      if (values.every((value) => value?.trim() === '')) continue;
      if (columns === null) {
        columns = readHeader(values, info.lines);
        // Without a header the first line is a call already.
        if (columns !== ONE_PER_LINE) continue;
      }
      yield { line: info.lines, bytes: info.bytes, ...readLine(values, columns) };
    }
  } catch (error) {
    throw isCsvError(error) ? unreadable(error) : error;
  }
}

/** The parser's own way with a mark is to decode all that follows, and not to say what it could not. */
async function* withoutBom(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Buffer | null = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (head === null) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < BOM.length) continue;
    yield head.subarray(0, BOM.length).equals(BOM) ? head.subarray(BOM.length) : head;
    head = null;
  }
  if (head !== null) yield head;
}

/** null where the bytes are no UTF-8. */
function textOf(bytes: Uint8Array): string | null {
  return isUtf8(bytes) ? Buffer.from(bytes).toString('utf8') : null;
}

function readLine(values: readonly (string | null)[], columns: readonly Column[]): Read {
  const call: FileCall = { callSid: '' };
  const metadata: [string, string][] = [];
  let error: string | null = null;
  for (const [index, column] of columns.entries()) {
    const value = values[index] ?? '';
    if (values[index] === null) error ??= `${nameOf(column)}: is not UTF-8`;
    if (value === '') continue;
    if (column.is === 'callSid') call.callSid = value.trim();
    else if (column.is === 'account') call.account = value.trim();
    else metadata.push([column.key, value]);
  }
  // Own keys, also of a column that is called __proto__.
  if (metadata.length > 0) call.metadata = Object.fromEntries(metadata);
  if (values.length !== columns.length) error = `has ${values.length} columns instead of ${columns.length}`;
  error ??= wrongIn(call);
  return error === null ? { kind: 'call', call } : { kind: 'invalid', callSid: call.callSid || null, error };
}

function isCsvError(error: unknown): error is CsvError {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('CSV_');
}

function unreadable({ code, lines, message }: CsvError): CallsFileError {
  return new CallsFileError(typeof lines === 'number' ? lines : null, WHAT[code] ?? message);
}
