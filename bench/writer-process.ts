import { join } from 'node:path';
import { silentLog } from '../test/support/log.ts';

/**
 * The writer of a checkout: `node bench/writer-process.ts FOLDER CALLS` prints the transitions that it commits in a
 * second, into the empty DATABASE_URL, as the checkout's own bench measures them. The first time runs it warm, and is not
 * counted.
 */
interface Checkout {
  measureWrites(
    databaseUrl: string,
    sizes: { calls: number; single: number; postgresPid: number },
  ): Promise<{ writer: number | { perSecond: number } }>;
}
interface Schema {
  migrateDatabase(databaseUrl: string, log: typeof silentLog): Promise<unknown>;
}

const [folder = '', calls = ''] = process.argv.slice(2);
const databaseUrl = process.env.DATABASE_URL ?? '';
const { migrateDatabase }: Schema = await import(join(folder, 'src/archive/schema/migrations.ts'));
const { measureWrites }: Checkout = await import(join(folder, 'bench/write.ts'));

await migrateDatabase(databaseUrl, silentLog);
const sizes = { calls: Number(calls), single: 10, postgresPid: process.pid };
await measureWrites(databaseUrl, sizes);
const { writer } = await measureWrites(databaseUrl, sizes);
console.log(typeof writer === 'number' ? writer : writer.perSecond);
