import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openRereadable } from '../../src/commands/rereadable.ts';

const CONTENT = Buffer.from('é,"\n'.repeat(50_000));
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polykeep-rereadable-'));
  vi.stubEnv('TMPDIR', folder);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

it('a file is read twice, also where the first time was given up', async () => {
  const path = join(folder, 'calls.csv');
  await writeFile(path, CONTENT);
  const file = await openRereadable(path);
  expect([file.name, file.size]).toEqual([path, CONTENT.length]);
  for await (const chunk of file.read()) if (chunk.length > 0) break;
  for (let time = 0; time < 2; time++) expect(CONTENT.equals(await buffer(file.read()))).toBe(true);
  await file.close();
});

it('a pipe is read twice, and what was kept of it has no name', async () => {
  const path = join(folder, 'pipe');
  await once(spawn('mkfifo', [path]), 'close');
  const written = writeFile(path, CONTENT);
  const file = await openRereadable(path);
  await written;
  expect([file.name, file.size]).toEqual([path, CONTENT.length]);
  for (let time = 0; time < 2; time++) expect(CONTENT.equals(await buffer(file.read()))).toBe(true);
  expect(await readdir(folder)).toEqual(['pipe']);
  await file.close();
});

it('what cannot be read is said in one line, and leaves nothing', async () => {
  await expect(openRereadable(join(folder, 'none'))).rejects.toThrow(
    /^\S+none cannot be read: ENOENT[^\n]+$/,
  );
  await expect(openRereadable(folder)).rejects.toThrow(/^\S+ cannot be read: EISDIR[^\n]+$/);
  expect(await readdir(folder)).toEqual([]);
});
