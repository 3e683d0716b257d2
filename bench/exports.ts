import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet';
import { request } from 'undici';
import { spawnSidecar } from '../test/support/sidecar.ts';

export interface Exported {
  name: string;
  rows: number;
  megabytes: number;
  seconds: number;
  /** Resident memory of the process that exports: of an empty export, and the most of this one. MB. */
  before: number;
  peak: number;
}

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const LOOK_EVERY_MS = 50;
const NONE = '2001-01-01T00:00:00Z';

/** `GET /v1/export`, each format from a sidecar that has exported nothing yet but an empty file. */
export async function exportByRequest(
  format: 'csv' | 'ndjson',
  environment: Record<string, string>,
  folder: string,
): Promise<Exported> {
  const sidecar = spawnSidecar(environment);
  const path = join(folder, `calls.${format}`);
  try {
    const url = `${await sidecar.url()}/v1/export?format=${format}`;
    await save(`${url}&registeredTo=${NONE}`, path);
    const pid = sidecar.process.pid ?? 0;
    await forgetPeak(pid);
    const before = await peakMemory(pid);
    const started = performance.now();
    await save(url, path);
    const seconds = (performance.now() - started) / 1000;
    const peak = await peakMemory(pid);
    const lines = await countLines(path);
    const rows = format === 'csv' ? lines - 1 : lines;
    return { name: `GET /v1/export, ${format}`, rows, megabytes: await sizeOf(path), seconds, before, peak };
  } finally {
    await sidecar.end('SIGTERM');
    await rm(path, { force: true });
  }
}

/** `polykeep export --format parquet`, against the same command with nothing to export. */
export async function exportByCommand(
  environment: Record<string, string>,
  folder: string,
): Promise<Exported> {
  const path = join(folder, 'calls.parquet');
  const { peak: before } = await command(environment, path, ['--registered-to', NONE]);
  const { peak, seconds } = await command(environment, path, []);
  const { num_rows } = await parquetMetadataAsync(await asyncBufferFromFile(path));
  const megabytes = await sizeOf(path);
  await rm(path, { force: true });
  return { name: 'polykeep export, parquet', rows: Number(num_rows), megabytes, seconds, before, peak };
}

async function command(environment: Record<string, string>, path: string, more: readonly string[]) {
  await rm(path, { force: true });
  const started = performance.now();
  const args = [MAIN, 'export', '--format', 'parquet', '--output', path, ...more];
  const child = spawn(process.execPath, args, { env: { PATH: process.env.PATH, ...environment } });
  let peak = 0;
  while (child.exitCode === null) {
    // The last one: it only grows, and before the child has become a program of its own it is that of this process.
    peak = await peakMemory(child.pid ?? 0).catch(() => peak);
    await sleep(LOOK_EVERY_MS);
  }
  if (child.exitCode !== 0) throw new Error(`polykeep export ended with ${child.exitCode}`);
  return { peak, seconds: (performance.now() - started) / 1000 };
}

async function save(url: string, path: string): Promise<void> {
  const { statusCode, body } = await request(url, { bodyTimeout: 0 });
  if (statusCode !== 200) throw new Error(`${url}: ${statusCode}`);
  await pipeline(body, createWriteStream(path));
}

/** Linux: VmHWM, the most that was ever resident, begins anew. */
async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5');
}

async function peakMemory(pid: number): Promise<number> {
  const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  if (kilobytes === undefined) throw new Error(`process ${pid} has no memory`);
  return Number(kilobytes) / 1024;
}

/** No text in the seeded archive has a line break in it. */
async function countLines(path: string): Promise<number> {
  let lines = 0;
  for await (const chunk of createReadStream(path)) {
    for (const byte of chunk) if (byte === 0x0a) lines++;
  }
  return lines;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path)).size / 1e6;
}
