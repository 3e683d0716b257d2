import { parseArgs } from 'node:util';
import { readFilter } from '../api/filter.ts';
import { ProblemError } from '../api/problems.ts';
import type { CallFilter } from '../archive/read/call-filter.ts';

const FILE_FORMATS = ['csv', 'ndjson', 'parquet'] as const;

/** The options that are fields of the API's filter, each with the field's name. */
const FIELDS = {
  status: 'status',
  outcome: 'outcome',
  account: 'account',
  'registered-from': 'registeredFrom',
  'registered-to': 'registeredTo',
  'settled-from': 'settledFrom',
  'settled-to': 'settledTo',
  reason: 'reason',
  'call-sid-prefix': 'callSidPrefix',
} as const;

interface ExportOptions {
  format: (typeof FILE_FORMATS)[number];
  /** A path, or `-` for standard output. */
  output: string;
  /** Whether a byte order mark comes first; of csv alone. */
  bom: boolean;
  filter: CallFilter;
}

/** Throws an error of one plain line that names the option. */
export function readExportOptions(args: readonly string[]): ExportOptions {
  const { format: named = 'ndjson', output, bom = false, metadata = [], ...options } = parse(args);
  const format = FILE_FORMATS.find((name) => name === named);
  if (format === undefined) throw new Error(`--format: must be ${FILE_FORMATS.join(' or ')}`);
  if (output === undefined || output === '') throw new Error('--output: a file name is required, or -');
  if (bom && format !== 'csv') throw new Error('--bom: is for csv alone');
  return { format, output, bom, filter: filterOf(options, metadata) };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        format: text,
        output: text,
        bom: { type: 'boolean' },
        status: text,
        outcome: text,
        account: text,
        'registered-from': text,
        'registered-to': text,
        'settled-from': text,
        'settled-to': text,
        reason: text,
        'call-sid-prefix': text,
        metadata: { type: 'string', multiple: true },
      },
    }).values;
  } catch (error) {
    // Node goes on with advice about other things.
    throw new Error(error instanceof Error ? error.message.split(/\.? (?=To specify)|\n/)[0] : String(error));
  }
}

function filterOf(
  options: Readonly<Record<string, string | undefined>>,
  metadata: readonly string[],
): CallFilter {
  const fields = Object.entries(FIELDS).map(([option, field]) => [field, options[option]]);
  const ofMetadata = metadata.map(metadataField);
  try {
    return readFilter(Object.fromEntries([...fields, ...ofMetadata]));
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    throw new Error(error.errors.map(({ field, detail }) => `--${optionOf(field)}: ${detail}`).join('; '));
  }
}

function metadataField(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new Error('--metadata: must be KEY=VALUE');
  return [`metadata.${text.slice(0, equals)}`, text.slice(equals + 1)];
}

/** A field that is no option's own is one of the metadata. */
function optionOf(field: string): string {
  return Object.entries(FIELDS).find(([, name]) => name === field)?.[0] ?? 'metadata';
}
