import fastify from 'fastify';
import { Pool } from 'pg';

/**
 * The least that any route on this Postgres takes, in a process of its own as the sidecar is: the same Fastify, the
 * same pg, as many connections. `/` is `select 1`; `/calls/ID` is one call with its history, in the same `select` as
 * polykeep's. Prints where it listens.
 */
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10, keepAlive: true });
const app = fastify();
const ONE_CALL = `
select c.call_sid, c.account, c.status, c.outcome, c.reason, c.metadata, c.registered_at, c.created_at, c.last_updated,
       c.first_seen_at, c.last_seen_at, c.settled_at, c.polls, c.failed_polls, c.last_error,
       t.seq, t.status as t_status, t.reason as t_reason, t.changed_after, t.observed_at,
       t.last_updated as t_last_updated
  from calls c
  left join transitions t on t.call_sid = c.call_sid
 where c.call_sid = $1
 order by t.seq`;

app.get('/', async () => (await pool.query<{ one: number }>('select 1 as one')).rows[0]);
app.get<{ Params: { callSid: string } }>('/v1/calls/:callSid', async ({ params: { callSid } }) => {
  const { rows } = await pool.query({ name: 'one_call', text: ONE_CALL, values: [callSid] });
  return rows;
});
console.log(await app.listen({ host: '127.0.0.1', port: 0 }));
process.once('SIGTERM', () => process.exit(0));
