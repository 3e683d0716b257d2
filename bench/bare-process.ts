import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface Bare {
  url: string;
  pid: number;
  stop(): Promise<unknown>;
}

/** Starts a server of a few lines that prints where it listens: what a route is measured against. */
export async function startBare(program: string, databaseUrl: string): Promise<Bare> {
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env.PATH, DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface(child.stdout);
  const [url] = await Promise.race([once(lines, 'line'), exited.then(() => [])]);
  if (typeof url !== 'string') throw new Error(`${program} did not start`);
  return {
    url,
    pid: child.pid ?? 0,
    stop() {
      child.kill('SIGTERM');
      return exited;
    },
  };
}
