import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The root of all endpoints' secrets that is kept in this folder; made where there is none yet. It appears with its
 * content at once: two processes that start together have the same.
 */
export async function rootSecretIn(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'webhooks-secret');
  const unfinished = `${path}.${randomUUID()}`;
  await writeFile(unfinished, randomBytes(32).toString('base64url'), { mode: 0o600 });
  try {
    await link(unfinished, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(unfinished);
  }
  return (await readFile(path, 'utf8')).trim();
}
