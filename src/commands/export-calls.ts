import { createWriteStream } from 'node:fs';
import { realpath, rename, rm, stat } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Batches, csv, ndjson, withBom } from '../api/export-formats.ts';
import { createExporter } from '../archive/read/exporter.ts';
import { refuseNewerDatabase } from '../archive/schema/version.ts';
import type { Config } from '../config/config.ts';
import { archiveUrl } from './archive-url.ts';
import { readExportOptions } from './export-options.ts';
import { parquet } from './parquet.ts';

const FORMATS = { csv, ndjson, parquet };

/**
 * `polykeep export`: one snapshot of the archive to a file, which has its name only when it is whole, or to standard
 * output. Throws an error of one plain line.
 */
export async function exportCalls(args: readonly string[], config: Config): Promise<void> {
  const { format, output, bom, filter } = readExportOptions(args);
  const url = await archiveUrl(config);
  const ending = new AbortController();
  const stop = () => ending.abort(new Error('stopped'));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    await refuseNewerDatabase(url);
    const batches = await createExporter({ url, atMost: 1 }).open(filter, ending.signal, () =>
      ending.abort(new Error('Postgres has ended it')),
    );
    const counted = { calls: 0, bytes: 0 };
    const formatted = FORMATS[format](countCalls(batches, counted));
    const chunks = countBytes(bom ? withBom(formatted) : formatted, counted);
    await (output === '-'
      ? pour(chunks, process.stdout, ending.signal)
      : save(chunks, output, ending.signal));
    console.error(`polykeep: exported ${counted.calls} calls, ${counted.bytes} bytes`);
  } catch (error) {
    throw new Error(`export failed: ${plain(error)}`, { cause: error });
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    ending.abort();
  }
}

async function save(chunks: AsyncIterable<Uint8Array>, output: string, signal: AbortSignal): Promise<void> {
  const path = await realpath(output).catch(() => output);
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => true,
  );
  // To take the place of /dev/null would be more than was asked for.
  if (!isFile) return pour(chunks, createWriteStream(path), signal);
  const unfinished = `${path}.unfinished-${process.pid}`;
  try {
    await pour(chunks, createWriteStream(unfinished, { flags: 'wx', flush: true }), signal);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

function pour(chunks: AsyncIterable<Uint8Array>, to: Writable, signal: AbortSignal): Promise<void> {
  return pipeline(Readable.from(chunks, { objectMode: false }), to, { signal });
}

interface Counted {
  calls: number;
  bytes: number;
}

async function* countCalls(batches: Batches, counted: Counted): AsyncGenerator<readonly string[]> {
  for await (const calls of batches) {
    counted.calls += calls.length;
    yield calls;
  }
}

async function* countBytes(
  chunks: AsyncIterable<string | Uint8Array>,
  counted: Counted,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    counted.bytes += bytes.length;
    yield bytes;
  }
}

/** The innermost cause says most; one that tried several addresses has its words in a list. */
function plain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return plain(error.cause);
  if (error instanceof AggregateError) return plain(error.errors[0]);
  return error.message.split('\n')[0] ?? error.name;
}
