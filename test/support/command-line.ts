import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
/** What Node makes of the code at a start, for the next one: a start then takes 0.3 s of CPU less. */
const COMPILE_CACHE = fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url));

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** All that such a process gets of an environment. */
export function environmentOf(environment: Record<string, string>): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, NODE_COMPILE_CACHE: COMPILE_CACHE, ...environment };
}

/** A command of polykeep in a process of its own, with nothing of this one's environment. */
export function spawnPolykeep(
  args: readonly string[],
  environment: Record<string, string>,
  main = MAIN,
  folder?: string,
): ChildProcessByStdio<Writable, Readable, Readable> {
  return spawn(process.execPath, [main, ...args], {
    cwd: folder,
    env: environmentOf(environment),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** Runs a command to its end, with `input` on its standard input. */
export async function runPolykeep(
  args: readonly string[],
  environment: Record<string, string>,
  input = '',
): Promise<Ran> {
  const child = spawnPolykeep(args, environment);
  // It may end before it has read all.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [stdout, stderr, [code]]: [string, string, (number | null)[]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code: code ?? null, stdout, stderr };
}
