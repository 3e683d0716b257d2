import type { Readable } from 'node:stream';
import { type CsvError, type Info, parse } from 'csv-parse';

/** A line of the file, as it is posted; or why it cannot be. */
type FileLine = { line: number; bytes: number } & (
  | { kind: 'call'; call: FileCall }
  | { kind: 'invalid'; callSid: string | null; error: string }
);

export interface FileCall {
  callSid: string;
  account?: string;
  metadata?: Record<string, string>;
}

/** The file cannot be read as a list of calls. */
export class CallsFileError extends Error {
  override readonly name = 'CallsFileError';
  readonly code = 'bad_calls_file';
}

const CALL_SID = ['callSid', 'call_sid'];
const PREFIX = 'metadata.';
/** What a quote that is never closed may swallow before it is found out. */
const MAX_RECORD = 1_000_000;

interface ParsedRecord {
  record: string[];
  info: Info & { bytes: number };
}

/**
 * The calls of a csv with a header, or of a file with one callSid per line, in constant memory. `bytes` is how much of
 * the file was read up to there. Throws `CallsFileError` where the file is neither.
 */
export async function* readCalls(file: Readable): AsyncGenerator<FileLine> {
  const parser = parse({
    bom: true,
    record_delimiter: ['\r\n', '\n', '\r'],
    info: true,
    relax_column_count: true,
    relax_quotes: true,
    skip_records_with_empty_values: true,
    max_record_size: MAX_RECORD,
  });
  file.on('error', (error) => parser.destroy(error));
  file.pipe(parser);
  let columns: Column[] | null = null;
  try {
    for await (const parsed of parser) {
      const { record, info }: ParsedRecord = parsed;
      const at = { line: info.lines, bytes: info.bytes };
      if (columns === null) {
        columns = readHeader(record);
        // Without a header the first line is a call already.
        if (columns !== ONE_PER_LINE) continue;
      }
      yield { ...at, ...readLine(record, columns) };
    }
  } catch (error) {
    throw isCsvError(error) ? new CallsFileError(error.message) : error;
  } finally {
    file.destroy();
  }
}

type Column = { is: 'callSid' } | { is: 'account' } | { is: 'metadata'; key: string };

const ONE_PER_LINE: Column[] = [{ is: 'callSid' }];

function readHeader(record: readonly string[]): Column[] {
  const names = record.map((name) => name.trim());
  if (!names.some((name) => CALL_SID.includes(name))) {
    // The header of a file that is separated by something else is one column too.
    if (names.length === 1 && !/call[\s_-]?sid/i.test(names[0] ?? '')) return ONE_PER_LINE;
    throw new CallsFileError(
      'the first line names no column callSid or call_sid: a csv needs a header, and commas between its columns',
    );
  }
  const columns = names.map(columnOf);
  const keys = columns.map((column) => (column.is === 'metadata' ? `${PREFIX}${column.key}` : column.is));
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined) throw new CallsFileError(`the header names ${twice} twice`);
  const nameless = names.indexOf('');
  if (nameless >= 0) throw new CallsFileError(`column ${nameless + 1} has no name in the header`);
  return columns;
}

function columnOf(name: string): Column {
  if (CALL_SID.includes(name)) return { is: 'callSid' };
  if (name === 'account') return { is: 'account' };
  return { is: 'metadata', key: name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name };
}

type Read = { kind: 'call'; call: FileCall } | { kind: 'invalid'; callSid: string | null; error: string };

function readLine(record: readonly string[], columns: readonly Column[]): Read {
  const call: FileCall = { callSid: '' };
  const metadata: [string, string][] = [];
  for (const [index, column] of columns.entries()) {
    const value = record[index] ?? '';
    if (value === '') continue;
    if (column.is === 'callSid') call.callSid = value.trim();
    else if (column.is === 'account') call.account = value.trim();
    else metadata.push([column.key, value]);
  }
  // Own keys, also of a column that is called __proto__.
  if (metadata.length > 0) call.metadata = Object.fromEntries(metadata);
  if (record.length !== columns.length) {
    const error = `has ${record.length} columns instead of ${columns.length}`;
    return { kind: 'invalid', callSid: call.callSid || null, error };
  }
  if (call.callSid === '') return { kind: 'invalid', callSid: null, error: 'callSid: is empty' };
  return { kind: 'call', call };
}

function isCsvError(error: unknown): error is CsvError {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('CSV_');
}
