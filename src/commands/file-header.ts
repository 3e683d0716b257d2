import { isCallSid } from '../call/limits.ts';
import { CallsFileError } from './calls-file-error.ts';

export type Column = { is: 'callSid' } | { is: 'account' } | { is: 'metadata'; key: string };

/** The columns of a file without a header. */
export const ONE_PER_LINE: Column[] = [{ is: 'callSid' }];

const CALL_SID = ['callSid', 'call_sid'];
const PREFIX = 'metadata.';

/**
 * The columns that the first line names, or `ONE_PER_LINE` where it is a callSid itself; a value is null where it is no
 * UTF-8. Throws `CallsFileError` where it is neither.
 */
export function readHeader(values: readonly (string | null)[], line: number): Column[] {
  const names = values.map((value) => {
    if (value === null) throw new CallsFileError(line, 'is not UTF-8: save the file in that encoding');
    return value.trim();
  });
  if (!names.some((name) => CALL_SID.includes(name))) return columnsWithout(names, line);
  const columns = names.map(columnOf);
  const known = columns.map(nameOf);
  const twice = known.find((name, index) => known.indexOf(name) !== index);
  if (twice !== undefined) throw new CallsFileError(line, `the header names ${twice} twice`);
  const nameless = names.indexOf('');
  if (nameless >= 0) throw new CallsFileError(line, `column ${nameless + 1} has no name in the header`);
  return columns;
}

/** As the API names it in what it says. */
export function nameOf(column: Column): string {
  return column.is === 'metadata' ? `${PREFIX}${column.key}` : column.is;
}

function columnsWithout([first = '', ...others]: readonly string[], line: number): Column[] {
  if (first.includes('\0')) throw new CallsFileError(line, 'is not UTF-8, but UTF-16 by its looks');
  if (others.length > 0 || !isCallSid(first)) {
    throw new CallsFileError(
      line,
      'is neither a header that names a column callSid (or call_sid), with commas between columns, nor one callSid',
    );
  }
  // `id` would be a callSid too. PolyAI's have digits, and the names of columns have none.
  if (!/\d/.test(first) || /call[_-]?sid/i.test(first)) {
    throw new CallsFileError(
      line,
      `${first} is taken for a header, which must be callSid (or call_sid); where it is a call, put that line above it`,
    );
  }
  return ONE_PER_LINE;
}

function columnOf(name: string): Column {
  if (CALL_SID.includes(name)) return { is: 'callSid' };
  if (name === 'account') return { is: 'account' };
  return { is: 'metadata', key: name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name };
}
