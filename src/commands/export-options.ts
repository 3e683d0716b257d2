import { parseArgs } from 'node:util';
import { Type } from 'typebox';
import { type FilterQuery, filterFields, filterOptions, readFilter } from '../api/filter.ts';
import { checker } from '../api/validation.ts';
import type { CallFilter } from '../archive/read/call-filter.ts';

const FORMATS = ['csv', 'ndjson', 'parquet'] as const;

export interface ExportOptions {
  format: (typeof FORMATS)[number];
  /** A path, or `-` for standard output. */
  output: string;
  filter: CallFilter;
}

const check = checker<FilterQuery>(Type.Object(filterFields, filterOptions));

/** Throws an error of one plain line that names the option. */
export function readExportOptions(args: readonly string[]): ExportOptions {
  const { format: named = 'ndjson', output, metadata = [], ...given } = parse(args);
  const format = FORMATS.find((name) => name === named);
  if (format === undefined) throw new Error(`--format: must be ${FORMATS.join(' or ')}`);
  if (output === undefined || output === '') throw new Error('--output: a file name is required, or -');
  if (format === 'parquet' && output === '-') throw new Error('--output: parquet needs a file name');
  return { format, output, filter: filterOf(given, metadata) };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        format: text,
        output: text,
        status: text,
        outcome: text,
        account: text,
        'registered-from': text,
        'registered-to': text,
        metadata: { type: 'string', multiple: true },
      },
    }).values;
  } catch (error) {
    // Node goes on with advice about other things.
    throw new Error(error instanceof Error ? error.message.split(/\.? (?=To specify)|\n/)[0] : String(error));
  }
}

/** By the API's own rules. */
function filterOf(given: Record<string, string | undefined>, metadata: readonly string[]): CallFilter {
  const fields = Object.entries(given).map(([option, value]) => [camelCase(option), value]);
  const query = { ...Object.fromEntries(fields), ...Object.fromEntries(metadata.map(metadataField)) };
  const checked = check(query);
  if ('error' in checked) throw new Error(optionIn(checked.error));
  try {
    return readFilter(checked.value);
  } catch (error) {
    throw new Error(optionIn(error instanceof Error ? error.message : String(error)));
  }
}

function metadataField(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new Error('--metadata: must be KEY=VALUE');
  return [`metadata.${text.slice(0, equals)}`, text.slice(equals + 1)];
}

function camelCase(option: string): string {
  return option.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** A message that begins with a field, with the option's name instead. */
function optionIn(message: string): string {
  return message.replace(
    /^\w+/,
    (field) => `--${field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  );
}
