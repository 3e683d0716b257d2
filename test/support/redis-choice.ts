import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

export const WHAT_TO_DO =
  'the tests need a Redis: set REDIS_URL, or install redis-server, or start a Docker engine (as root on Debian, npm test installs redis-server itself)';

/** Where the tests get their Redis from; the first that is there. */
export async function redisChoice(): Promise<'url' | 'path' | 'docker' | 'none'> {
  if (process.env.REDIS_URL) return 'url';
  if (isOnPath('redis-server')) return 'path';
  return (await dockerAnswers()) ? 'docker' : 'none';
}

export function isOnPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

async function dockerAnswers(): Promise<boolean> {
  return promisify(execFile)('docker', ['version']).then(
    () => true,
    () => false,
  );
}
