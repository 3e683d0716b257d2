import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { expect } from 'vitest';
import { postgresUser } from '../../src/embedded-postgres/programs.ts';
import { freePort } from './free-port.ts';

export interface PgBouncer {
  /** The URL of a database of the server, by this way. */
  urlOf(databaseUrl: string): string;
  /** Ends it as `kill -9` does, and starts it again on its port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A pgbouncer before a server, with no more than four connections to it for each database. */
export async function spawnPgBouncer(
  serverUrl: string,
  mode: 'transaction' | 'session' = 'transaction',
): Promise<PgBouncer> {
  const server = new URL(serverUrl);
  const user = await postgresUser();
  const folder = await mkdtemp(join(tmpdir(), 'polykeep-pgbouncer-'));
  const port = await freePort();
  const users = join(folder, 'users');
  await writeFile(users, `"${server.username}" "${decodeURIComponent(server.password)}"\n`);
  const config = join(folder, 'pgbouncer.ini');
  const lines = [
    '[databases]',
    `* = host=${server.hostname} port=${server.port}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = scram-sha-256',
    `auth_file = ${users}`,
    `pool_mode = ${mode}`,
    'default_pool_size = 4',
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  await chmod(folder, 0o755);
  for (const file of [users, config]) {
    if (user.uid !== undefined && user.gid !== undefined) await chown(file, user.uid, user.gid);
  }

  function urlOf(databaseUrl: string): string {
    return Object.assign(new URL(databaseUrl), { port: `${port}` }).href;
  }

  // It refuses to run as root.
  const start = () => spawn('pgbouncer', [config], { ...user, cwd: '/', stdio: 'ignore' });
  let running = start();

  async function kill(): Promise<void> {
    const ended = once(running, 'exit');
    running.kill('SIGKILL');
    await ended;
  }

  const answers = () => expect.poll(() => answersAt(urlOf(serverUrl))).toBe(true);
  await answers();
  return {
    urlOf,
    async restart() {
      await kill();
      running = start();
      await answers();
    },
    async stop() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function answersAt(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query('select')).rowCount === 1;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}
