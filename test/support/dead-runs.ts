import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../src/embedded-postgres/embedded-postgres.ts';
import { postmasterOf } from '../../src/embedded-postgres/ownership.ts';

/** No run takes so long. */
const DEAD_AFTER_MS = 60 * 60_000;

/** Ends the Postgres servers of test runs that were killed, and removes their folders: `parent/prefix…`. */
export async function sweepDeadRuns(parent: string, prefix: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(prefix)) continue;
    const dataDir = join(parent, name);
    try {
      if (Date.now() - (await stat(dataDir)).mtimeMs < DEAD_AFTER_MS) continue;
      // To start a server takes over one that nobody owns any more. It throws where somebody does.
      if ((await postmasterOf(join(dataDir, 'postgres'))) !== null) {
        await (await startEmbeddedPostgres({ dataDir, log: () => {} })).stop();
      }
      await rm(dataDir, { recursive: true, force: true });
    } catch {
      // Still used, or another run sweeps it too.
    }
  }
}
