import { readCalls } from './calls-file.ts';
import { CallsFileError } from './calls-file-error.ts';
import type { FileCall } from './file-call.ts';
import { RegisteringError, type RegisteringOptions, registering } from './registering.ts';
import { WrongLines } from './wrong-lines.ts';

export interface TrackSummary {
  created: number;
  reopened: number;
  existing: number;
  /** What polykeep refused. */
  wrong: WrongLines;
  /** Why it ended before the file did; null where it did not. */
  gaveUp: string | null;
}

const BATCH = 1_000;
/** polykeep takes bodies of 1 MiB, with some room for what is around the calls. */
const BATCH_BYTES = 1_000_000;

/** How many calls a file has, and what is wrong in it. Throws `CallsFileError` where it is no list of calls. */
export async function checkFile(
  file: AsyncIterable<Uint8Array>,
): Promise<{ calls: number; wrong: WrongLines }> {
  const wrong = new WrongLines();
  let calls = 0;
  for await (const read of readCalls(file)) {
    if (read.kind === 'call') calls++;
    else wrong.add(read);
  }
  return { calls, wrong };
}

/** Registers what a file has that was checked before, one batch after the other; `show` is told how far it is. */
export async function registerFile(
  file: AsyncIterable<Uint8Array>,
  options: RegisteringOptions,
  show: (bytes: number, calls: number) => void,
): Promise<TrackSummary> {
  const summary: TrackSummary = {
    created: 0,
    reopened: 0,
    existing: 0,
    wrong: new WrongLines(),
    gaveUp: null,
  };
  const register = registering(options);
  let batch: { line: number; call: FileCall }[] = [];
  let batchBytes = 0;

  async function send(readTo: number): Promise<void> {
    if (batch.length === 0) return;
    const results = await register(batch.map(({ call }) => call));
    for (const [index, { line, call }] of batch.entries()) {
      const { result, error = 'is not valid' } = results[index] ?? { result: 'invalid' };
      if (result === 'invalid') summary.wrong.add({ line, callSid: call.callSid, error });
      else summary[result]++;
    }
    batch = [];
    batchBytes = 0;
    show(readTo, summary.created + summary.reopened + summary.existing + summary.wrong.count);
  }

  try {
    let readTo = 0;
    for await (const read of readCalls(file)) {
      if (read.kind === 'invalid') throw new CallsFileError(read.line, read.error);
      const bytes = Buffer.byteLength(JSON.stringify(read.call)) + 1;
      if (batch.length === BATCH || batchBytes + bytes > BATCH_BYTES) await send(readTo);
      batch.push({ line: read.line, call: read.call });
      batchBytes += bytes;
      readTo = read.bytes;
    }
    await send(readTo);
  } catch (error) {
    if (error instanceof CallsFileError) summary.gaveUp = 'the file has changed since it was checked';
    else if (error instanceof RegisteringError) summary.gaveUp = error.message;
    else throw error;
  }
  return summary;
}
