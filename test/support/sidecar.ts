import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { environmentOf, MAIN, spawnPolykeep } from './command-line.ts';

/** Intervals a tenth of the default ones: lives of seconds instead of minutes. */
export const FAST = {
  POLYAI_AUTH_TOKEN: 'a-token-of-some-length',
  PORT: '0',
  POLL_INTERVAL_MIN_MS: '200',
  POLL_INTERVAL_MAX_MS: '500',
  POLL_BACKOFF_MAX_MS: '1000',
};

export interface LogLine {
  msg: string;
  [field: string]: unknown;
}

/** A polykeep process, started as `npm start` starts it. */
export interface SidecarProcess {
  process: ChildProcess;
  /** Its log so far. */
  log: LogLine[];
  stderr: () => string;
  /** Where its API listens; waits for it. Rejects where the process ends first. */
  url(): Promise<string>;
  /** Ends it by a signal, and gives its exit code (null after a kill). */
  end(signal: NodeJS.Signals): Promise<number | null>;
  exited: Promise<number | null>;
}

export function spawnSidecar(
  environment: Record<string, string>,
  command: string | string[] = 'serve',
  main?: string,
  folder?: string,
): SidecarProcess {
  const child = spawnPolykeep([command].flat(), environment, main, folder);
  child.stdin.end();
  return watch(child, child.stdout);
}

/** The same with its log written to a pipe of the caller's, who reads it by `reader`. */
export function spawnSidecarInto(
  { writeFd, reader }: { writeFd: number; reader: Readable },
  environment: Record<string, string>,
  command: string,
): SidecarProcess {
  const child = spawn(process.execPath, [MAIN, command], {
    env: environmentOf(environment),
    stdio: ['ignore', writeFd, 'pipe'],
  });
  return watch(child, reader);
}

/** The same by a shell that runs this before: limits for it, or where its output goes. */
export function spawnByShell(
  environment: Record<string, string>,
  before: string,
  command = 'serve',
  main = MAIN,
): SidecarProcess {
  const args = ['-c', `${before}; exec "$0" "$1" "$2"`, process.execPath, main, command];
  const child = spawn('sh', args, { env: environmentOf(environment), stdio: ['ignore', 'pipe', 'pipe'] });
  return watch(child, child.stdout);
}

function watch(child: ChildProcess, output: Readable): SidecarProcess {
  const exited = once(child, 'close').then(([code]: (number | null)[]) => code ?? null);
  const log: LogLine[] = [];
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const listening = new Promise<string>((resolve, reject) => {
    createInterface(output).on('line', (text) => {
      const line = readLine(text);
      if (line === null) return;
      log.push(line);
      if (line.msg === 'polykeep runs') resolve(String(line.url));
    });
    exited.then((code) => reject(new Error(`polykeep ended with ${code}: ${stderr}`)));
  });
  listening.catch(() => {});
  return {
    process: child,
    log,
    stderr: () => stderr,
    url: () => listening,
    end(signal) {
      child.kill(signal);
      return exited;
    },
    exited,
  };
}

/** null for one that a kill cut off. */
function readLine(text: string): LogLine | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
