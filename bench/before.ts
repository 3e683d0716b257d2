import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { startApi } from './api-process.ts';
import type { Bare } from './bare-process.ts';
import type { Bench } from './bench.ts';

/**
 * An `api` process of an older polykeep on as many calls, to be measured side by side: `BENCH_BEFORE` is the folder of
 * its checkout, with its packages. null where there is none.
 */
export async function startBefore(bench: Bench, calls: number): Promise<Bare | null> {
  const folder = process.env.BENCH_BEFORE;
  if (folder === undefined) return null;
  const databaseUrl = await bench.database({ migrated: false });
  bench.say(`archive: ${calls} calls for ${folder}`);
  await promisify(execFile)(process.execPath, [join(folder, 'bench/seed.ts'), '--calls', `${calls}`], {
    env: { PATH: process.env.PATH, DATABASE_URL: databaseUrl },
  });
  return startApi(bench, databaseUrl, join(folder, 'src/main.ts'));
}

const WRITER = join(import.meta.dirname, 'writer-process.ts');
const HERE = dirname(import.meta.dirname);

/** Transitions a second of the writer of before and of ours, one right after the other; null where there is no before. */
export async function writersBeside(
  bench: Bench,
  calls: number,
): Promise<{ before: number; now: number } | null> {
  const folder = process.env.BENCH_BEFORE;
  if (folder === undefined) return null;
  const writer = async (of: string) => {
    const databaseUrl = await bench.database({ migrated: false });
    const env = { PATH: process.env.PATH, DATABASE_URL: databaseUrl };
    const { stdout } = await promisify(execFile)(process.execPath, [WRITER, of, `${calls}`], { env });
    return Number(stdout);
  };
  return { before: await writer(folder), now: await writer(HERE) };
}
