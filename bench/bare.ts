import { sql } from 'drizzle-orm';
import { PgDialect } from 'drizzle-orm/pg-core';
import fastify from 'fastify';
import { Pool } from 'pg';
import { callRows, NEWEST_FIRST } from '../src/archive/read/call-json.ts';

/**
 * The least that any route on this Postgres takes, in a process of its own as the sidecar is: the same Fastify, the
 * same pg, as many connections. `/` is `select 1`; the others have polykeep's own `select` of one call, and of the newest
 * 100, and pass on the JSON that Postgres makes. Prints where it listens.
 */
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10, keepAlive: true });
const app = fastify();
const textOf = (query: ReturnType<typeof callRows>) => new PgDialect().sqlToQuery(query).sql;
const ONE_CALL = textOf(callRows(sql`select * from polykeep_internal.calls c where c.call_sid = ${''}`));
const NEWEST = sql`select * from polykeep_internal.calls c ${NEWEST_FIRST} limit 100`;
const PAGE = textOf(
  sql`select string_agg(c.json, ',' ${NEWEST_FIRST}) as json from (${callRows(NEWEST, 'c.registered_at, c.id')}) c`,
);

app.get('/', async () => (await pool.query<{ one: number }>('select 1 as one')).rows[0]);
app.get<{ Params: { callSid: string } }>('/v1/calls/:callSid', async ({ params: { callSid } }, reply) => {
  const { rows } = await pool.query<{ json: string }>({
    name: 'one_call',
    text: ONE_CALL,
    values: [callSid],
  });
  return reply.type('application/json').send(rows[0]?.json);
});
app.get('/v1/calls', async (_request, reply) => {
  const { rows } = await pool.query<{ json: string }>({ name: 'page', text: PAGE });
  return reply.type('application/json').send(`{"data":[${rows[0]?.json}]}`);
});
console.log(await app.listen({ host: '127.0.0.1', port: 0 }));
process.once('SIGTERM', () => process.exit(0));
