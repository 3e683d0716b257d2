import type { Redis } from 'ioredis';
import type { TestDatabase } from './database.ts';

/** Which of the secrets stand in a text: as they are, or in a form in which they can be read as easily. */
export function secretsIn(text: string, secrets: Readonly<Record<string, string>>): string[] {
  return Object.entries(secrets)
    .filter(([, secret]) => formsOf(secret).some((form) => text.includes(form)))
    .map(([name]) => name);
}

function formsOf(secret: string): string[] {
  const escaped = JSON.stringify(secret).slice(1, -1);
  return [
    secret,
    escaped,
    JSON.stringify(escaped).slice(1, -1),
    encodeURIComponent(secret),
    ...base64Forms(secret),
  ];
}

/** Also within a longer text (as `user:password`), where it may begin at any of three bits. */
function base64Forms(secret: string): string[] {
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.from('x'.repeat(before) + secret);
    const from = Math.ceil((before * 4) / 3);
    const to = Math.floor((encoded.length * 4) / 3);
    return (['base64', 'base64url'] as const).map((form) => encoded.toString(form).slice(from, to));
  });
}

/** Every row of every table, and what the connections to the database say of themselves. */
export async function dumpDatabase(database: TestDatabase): Promise<string> {
  const tables = await database.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
      where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  );
  const rows: unknown[] = await database.query(
    'select application_name, query from pg_stat_activity where datname = current_database()',
  );
  for (const { name } of tables) rows.push(...(await database.query(`select t::text from ${name} t`)));
  return JSON.stringify(rows);
}

/** Every key with all that it holds. */
export async function dumpRedis(redis: Redis): Promise<string> {
  const keys = await redis.keys('*');
  const held = keys.map(async (key) => [key, await heldBy(redis, key)]);
  return JSON.stringify(await Promise.all(held));
}

async function heldBy(redis: Redis, key: string): Promise<unknown> {
  switch (await redis.type(key)) {
    case 'hash':
      return redis.hgetall(key);
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return redis.smembers(key);
    case 'zset':
      return redis.zrange(key, '0', '-1');
    case 'stream':
      return redis.xrange(key, '-', '+');
    default:
      return redis.get(key);
  }
}
