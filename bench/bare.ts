import { PgDialect } from 'drizzle-orm/pg-core';
import fastify from 'fastify';
import { Pool } from 'pg';
import { SELECT_CALLS } from '../src/archive/read/call-row.ts';

/**
 * The least that any route on this Postgres takes, in a process of its own as the sidecar is: the same Fastify, the
 * same pg, as many connections. `/` is `select 1`; `/calls/ID` is one call with its history, in the same `select` as
 * polykeep's. Prints where it listens.
 */
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10, keepAlive: true });
const app = fastify();
const ONE_CALL = `${new PgDialect().sqlToQuery(SELECT_CALLS).sql}
 where call_sid = $1`;

app.get('/', async () => (await pool.query<{ one: number }>('select 1 as one')).rows[0]);
app.get<{ Params: { callSid: string } }>('/v1/calls/:callSid', async ({ params: { callSid } }) => {
  const { rows } = await pool.query({ name: 'one_call', text: ONE_CALL, values: [callSid] });
  return rows[0];
});
console.log(await app.listen({ host: '127.0.0.1', port: 0 }));
process.once('SIGTERM', () => process.exit(0));
