import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { migrateDatabase } from '../src/archive/schema/migrations.ts';
import { startEmbeddedPostgres } from '../src/embedded-postgres/embedded-postgres.ts';
import { silentLog } from '../test/support/log.ts';
import { fillArchive } from './large-archive.ts';

/**
 * An archive as large as one grows in 90 days: `node bench/seed.ts [--calls 1000000]` fills the empty DATABASE_URL, or
 * a Postgres of its own in a temporary folder, which it keeps running until Ctrl-C. Prints what a call takes on disk.
 */
const { values } = parseArgs({ options: { calls: { type: 'string', default: '1000000' } } });
const calls = Number(values.calls);

const given = process.env.DATABASE_URL;
const postgres = given === undefined ? await ownPostgres() : null;
const url = given ?? postgres?.url ?? '';
await seed(url);
if (postgres !== null) {
  console.log(`DATABASE_URL=${url}`);
  const idle = setInterval(() => {}, 60_000);
  const stop = () => {
    clearInterval(idle);
    void postgres.stop();
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
}

async function ownPostgres() {
  const folder = await mkdtemp(join(tmpdir(), 'polykeep-bench-'));
  // Its server is another user's where we are root.
  await chmod(folder, 0o755);
  return startEmbeddedPostgres({ dataDir: join(folder, 'data'), log: console.error });
}

async function seed(url: string): Promise<void> {
  await migrateDatabase(url, silentLog);
  const sizes = await fillArchive(url, calls, console.error);
  const bytes = sizes.relations.reduce((sum, relation) => sum + relation.bytes, 0);
  console.log(JSON.stringify({ ...sizes, bytesPerCall: Math.round(bytes / sizes.calls) }));
}
