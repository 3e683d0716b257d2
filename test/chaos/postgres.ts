import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { CONCLUSIONS } from '../../src/call/call.ts';
import { startEmbeddedPostgres } from '../../src/embedded-postgres/embedded-postgres.ts';
import { postgresPrograms, postgresUser } from '../../src/embedded-postgres/programs.ts';
import { Turns } from './deadline.ts';
import type { ConclusionSample, LapsedCall } from './evidence.ts';
import type { IncidentLog } from './incidents.ts';

const run = promisify(execFile);
const PG_CTL_MS = 40_000;
/** For a lock to be had, before it is held. */
const LOCKING_MS = 15_000;

export type ShutdownMode = 'fast' | 'immediate';

/** A real Postgres that stays on its port, whatever is done to it. */
export interface ChaosPostgres {
  readonly url: string;
  restart(mode: ShutdownMode): Promise<void>;
  goAway(forMs: number): Promise<void>;
  /** Every connection takes reads alone. */
  readOnly(forMs: number): Promise<void>;
  /** Connections that are open take reads alone; new ones take writes. */
  failOver(forMs: number): Promise<void>;
  lockTable(forMs: number): Promise<void>;
  /** Ends polykeep's connections. */
  cut(): Promise<void>;
  /** Unsettled calls whose promise to be followed has passed; null where Postgres does not answer. */
  lapsedCalls(): Promise<LapsedCall[] | null>;
  /** null where Postgres does not answer. */
  conclusions(): Promise<Omit<ConclusionSample, 'at'>[] | null>;
  /** Has what waits for another attempt to tell a webhook tried now; how much waits, or null without an answer. */
  hurryDeliveries(): Promise<number | null>;
  dispose(): Promise<void>;
}

export async function startChaosPostgres(incidents: IncidentLog): Promise<ChaosPostgres> {
  // Directly below the temporary folder, so that the user postgres gets through.
  const dataDir = await mkdtemp(join(tmpdir(), 'polykeep-chaos-'));
  const options = { dataDir, startsAgain: false, log: () => {} };
  const postgres = await startEmbeddedPostgres(options).catch(async (error: unknown) => {
    await rm(dataDir, { recursive: true, force: true });
    throw error;
  });
  const user = await postgresUser();
  const { pgCtl } = await postgresPrograms(dataDir, user);
  const turns = new Turns();

  async function control(...args: string[]): Promise<void> {
    // Without `-l` the server would keep our pipe, and the end of pg_ctl would not be seen.
    const all = [...args, '-w', '-t', '30', '-D', join(dataDir, 'postgres')];
    await run(pgCtl, all, {
      ...user,
      cwd: '/',
      env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
      timeout: PG_CTL_MS,
    });
  }

  /** Also where it does not run: with the options it had, and so on the port it had. */
  const restart = (mode: ShutdownMode) => control('restart', '-m', mode, '-l', join(dataDir, 'postgres.log'));

  return {
    url: postgres.url,
    restart: (mode) =>
      turns.take(async () => {
        const back = incidents.begin('postgres away', '', `(restart, ${mode})`);
        await restart(mode).finally(back);
      }),
    goAway: (forMs) =>
      turns.take(async () => {
        const back = incidents.begin('postgres away', '', `for ${forMs} ms`);
        await control('stop', '-m', 'fast');
        await sleep(forMs);
        await restart('fast').finally(back);
      }),
    readOnly: (forMs) =>
      turns.take(async () => {
        const back = incidents.begin('postgres read-only', '', `for ${forMs} ms`);
        await refuseWrites(postgres.url);
        await sleep(forMs);
        await takeWrites(postgres.url).finally(back);
      }),
    failOver: (forMs) =>
      turns.take(async () => {
        // A role's setting counts from the next connection on, and before the server's.
        await ask(postgres.url, 'alter role current_user set default_transaction_read_only = off');
        const back = incidents.begin('postgres failover', '', `for ${forMs} ms`);
        await refuseWrites(postgres.url);
        await sleep(forMs);
        await takeWrites(postgres.url).finally(back);
        await ask(postgres.url, 'alter role current_user reset default_transaction_read_only');
      }),
    lockTable: (forMs) =>
      turns.take(async () => {
        const back = incidents.begin('table locked', '', `for ${forMs} ms`);
        const sql = `begin; lock table polykeep_internal.calls in access exclusive mode; select pg_sleep(${forMs / 1000}); commit`;
        await ask(postgres.url, sql, forMs + LOCKING_MS).finally(back);
      }),
    cut: () =>
      turns.take(async () => {
        incidents.note('postgres cut');
        await ask(
          postgres.url,
          `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'polykeep'`,
        );
      }),
    async lapsedCalls() {
      const sql = `select call_sid, (extract(epoch from now() - followed_until) * 1000)::float8 as for_ms
                     from polykeep_internal.unsettled join polykeep_internal.calls on id = call_id
                    where followed_until < now()`;
      const rows = await ask(postgres.url, sql).catch(() => null);
      return rows?.map((row) => ({ callSid: String(row.call_sid), forMs: Number(row.for_ms) })) ?? null;
    },
    async conclusions() {
      const sql = `select call_sid, outcome from polykeep.calls where outcome = any('{${CONCLUSIONS}}')`;
      const rows = await ask(postgres.url, sql).catch(() => null);
      return rows?.map((row) => ({ callSid: String(row.call_sid), outcome: String(row.outcome) })) ?? null;
    },
    async hurryDeliveries() {
      const sql = `with hurried as (
                     update polykeep_internal.deliveries set next_attempt_at = now()
                      where status = 0 and leased_until is null and next_attempt_at > now() + interval '2 s'
                   )
                   select count(*)::int as count from polykeep_internal.deliveries where status = 0`;
      const rows = await ask(postgres.url, sql).catch(() => null);
      return rows === null ? null : Number(rows[0]?.count);
    },
    dispose: () =>
      turns.take(async () => {
        // The embedded module stops the server that it started itself, and no other in its place.
        await control('stop', '-m', 'immediate').catch(() => {});
        await postgres.stop();
        await rm(dataDir, { recursive: true, force: true });
      }),
  };
}

async function refuseWrites(url: string): Promise<void> {
  await ask(url, 'alter system set default_transaction_read_only = on');
  await ask(url, 'select pg_reload_conf()');
}

async function takeWrites(url: string): Promise<void> {
  await ask(url, 'alter system reset default_transaction_read_only');
  await ask(url, 'select pg_reload_conf()');
}

/** Also where the server is read-only. */
async function ask(url: string, sql: string, withinMs = 10_000): Promise<Record<string, unknown>[]> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: 4_000,
    query_timeout: withinMs,
    // A query that is given up must not wait on in the server.
    options: `-c default_transaction_read_only=off -c statement_timeout=${withinMs}`,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}
