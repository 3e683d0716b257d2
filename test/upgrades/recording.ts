import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { SentQuery } from './recorder.ts';

/**
 * What the code of one level of the schema asks of Postgres. A run is a transaction, or a query outside of one: for
 * each query the number of its text, and its values.
 */
export const Recording = Type.Object({
  texts: Type.Array(Type.String()),
  runs: Type.Array(Type.Array(Type.Object({ text: Type.Integer(), values: Type.Array(Type.Unknown()) }))),
});
export type Recording = Type.Static<typeof Recording>;

const FOLDER = fileURLToPath(new URL('recordings', import.meta.url));
/** Of runs with the same texts: enough for the life of a call. */
const ALIKE = 4;

/** Of a call that is registered later runs name the number: it has to be the same in a replay. */
const GIVES_NUMBERS = /insert into polykeep_internal\.calls\b/;

export async function recordedLevels(): Promise<string[]> {
  await mkdir(FOLDER, { recursive: true });
  return (await readdir(FOLDER)).map((name) => name.replace('.json', '')).sort();
}

export async function readRecording(level: string): Promise<Recording> {
  return Value.Parse(Recording, JSON.parse(await readFile(`${FOLDER}/${level}.json`, 'utf8')));
}

/** A line for each text and each run, so that a diff says what changed. */
export async function writeRecording(level: string, { texts, runs }: Recording): Promise<void> {
  const lines = (items: unknown[]) => `[\n${items.map((item) => JSON.stringify(item)).join(',\n')}\n]`;
  await mkdir(FOLDER, { recursive: true });
  await writeFile(`${FOLDER}/${level}.json`, `{"texts": ${lines(texts)}, "runs": ${lines(runs)}}\n`);
}

/** In the order in which the runs began, without what only repeats. */
export function recordingOf(queries: readonly SentQuery[]): Recording {
  const texts: string[] = [];
  const numberOf = (text: string) => {
    if (!texts.includes(text)) texts.push(text);
    return texts.indexOf(text);
  };
  const seen = new Map<string, number>();
  const runs = runsOf(queries).filter((run) => {
    const shape = run.map(({ text }) => text).join(';');
    seen.set(shape, (seen.get(shape) ?? 0) + 1);
    return (seen.get(shape) ?? 0) <= ALIKE || GIVES_NUMBERS.test(shape);
  });
  return {
    runs: runs.map((run) => run.map(({ text, values }) => ({ text: numberOf(text), values }))),
    texts,
  };
}

function runsOf(queries: readonly SentQuery[]): SentQuery[][] {
  const runs: SentQuery[][] = [];
  const open = new Map<number, SentQuery[]>();
  for (const query of queries) {
    // It would strike whichever session has that number in the replay.
    if (query.text.includes('pg_terminate_backend')) continue;
    const run = open.get(query.connection) ?? [];
    if (run.length === 0) runs.push(run);
    run.push(query);
    if (/^\s*begin/i.test(query.text)) open.set(query.connection, run);
    if (/^\s*(commit|rollback)/i.test(query.text)) open.delete(query.connection);
  }
  return runs.filter((run) => !run.some(({ text }) => /^\s*rollback/i.test(text)));
}
