import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import type { Config } from '../config/config.ts';
import { CallsFileError, type FileCall, readCalls } from './calls-file.ts';
import { createProgress } from './progress.ts';
import { RegisteringError, type RegisteringOptions, registering } from './registering.ts';

interface TrackSummary {
  created: number;
  reopened: number;
  existing: number;
  invalid: number;
  /** The first ones, by line of the file. */
  problems: { line: number; callSid: string | null; error: string }[];
  /** Why it ended before the file did; null where it did not. */
  gaveUp: string | null;
}

const BATCH = 1_000;
/** polykeep takes bodies of 1 MiB, with some room for what is around the calls. */
const BATCH_BYTES = 1_000_000;
const PROBLEMS_SHOWN = 20;

/** The command: gives the exit code. Throws an `Error` of one plain line where it cannot begin. */
export async function track(
  args: string[],
  config: Pick<Config, 'PORT' | 'POLYKEEP_API_KEY'>,
): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { url: { type: 'string' }, key: { type: 'string' } },
  });
  const [path, ...others] = positionals;
  if (path === undefined || others.length > 0)
    throw new Error('usage: polykeep track FILE [--url URL] [--key KEY]');
  const url = values.url ?? `http://127.0.0.1:${config.PORT}`;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new Error('--url: must be an http:// or https:// URL');

  const { file, size } = await open(path);
  const progress = createProgress(size);
  const summary = await registerFile(
    file,
    { url, apiKey: values.key ?? config.POLYKEEP_API_KEY },
    progress.show,
  );
  progress.end();
  tell(summary);
  return summary.invalid > 0 || summary.gaveUp !== null ? 1 : 0;
}

/** `size` is null where it cannot be known. */
async function open(path: string): Promise<{ file: Readable; size: number | null }> {
  if (path === '-') return { file: process.stdin, size: null };
  const found = await stat(path).catch((error: Error) => {
    throw new Error(`${path} cannot be read: ${error.message}`);
  });
  return { file: createReadStream(path), size: found.isFile() ? found.size : null };
}

/** Registers what a file has, one batch after the other; `show` is told how far it is. */
export async function registerFile(
  file: Readable,
  options: RegisteringOptions,
  show: (bytes: number, calls: number) => void,
): Promise<TrackSummary> {
  const summary: TrackSummary = {
    created: 0,
    reopened: 0,
    existing: 0,
    invalid: 0,
    problems: [],
    gaveUp: null,
  };
  const register = registering(options);
  let batch: { line: number; call: FileCall }[] = [];
  let batchBytes = 0;

  function refuse(line: number, callSid: string | null, error: string): void {
    summary.invalid++;
    if (summary.problems.length < PROBLEMS_SHOWN) summary.problems.push({ line, callSid, error });
  }

  async function send(readTo: number): Promise<void> {
    if (batch.length === 0) return;
    const results = await register(batch.map(({ call }) => call));
    for (const [index, { line, call }] of batch.entries()) {
      const { result, error } = results[index] ?? { result: 'invalid' };
      if (result === 'invalid') refuse(line, call.callSid, error ?? 'is not valid');
      else summary[result]++;
    }
    batch = [];
    batchBytes = 0;
    show(readTo, summary.created + summary.reopened + summary.existing + summary.invalid);
  }

  try {
    let readTo = 0;
    for await (const read of readCalls(file)) {
      const { line } = read;
      if (read.kind === 'invalid') {
        refuse(line, read.callSid, read.error);
        continue;
      }
      const bytes = Buffer.byteLength(JSON.stringify(read.call)) + 1;
      if (bytes > BATCH_BYTES) {
        refuse(line, read.call.callSid, 'is larger than 1 MB');
        continue;
      }
      if (batch.length === BATCH || batchBytes + bytes > BATCH_BYTES) await send(readTo);
      batch.push({ line, call: read.call });
      batchBytes += bytes;
      readTo = read.bytes;
    }
    await send(readTo);
  } catch (error) {
    if (!(error instanceof RegisteringError || error instanceof CallsFileError)) throw error;
    summary.gaveUp = error.message;
  }
  summary.problems.sort((a, b) => a.line - b.line);
  return summary;
}

function tell({ created, reopened, existing, invalid, problems, gaveUp }: TrackSummary): void {
  for (const { line, callSid, error } of problems) {
    console.error(`line ${line}${callSid === null ? '' : ` (${callSid})`}: ${error}`);
  }
  if (invalid > problems.length) console.error(`… and ${invalid - problems.length} more`);
  if (gaveUp !== null)
    console.error(`polykeep: ${gaveUp}; what is registered stays, run it again for the rest`);
  const again = reopened > 0 ? `, reopened ${reopened}` : '';
  console.log(`created ${created}${again}, existing ${existing}, invalid ${invalid}`);
}
