import fastify from 'fastify';
import { Pool } from 'pg';

/**
 * The least that a route which registers calls takes: a schema, and one `insert` of the row that polykeep inserts, into
 * the same table. A process of its own as the sidecar is; the same Fastify, the same pg, as many connections. Prints
 * where it listens.
 */
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10, keepAlive: true });
const app = fastify();
const text = { type: 'string' };
const schema = {
  body: {
    type: 'object',
    required: ['callSid'],
    properties: { callSid: text, metadata: { type: 'object', additionalProperties: text } },
  },
  response: { 201: { type: 'object', properties: { callSid: text } } },
};

app.post<{ Body: { callSid: string; metadata: Record<string, string> } }>(
  '/v1/calls',
  { schema },
  async ({ body: { callSid, metadata } }, reply) => {
    await pool.query({
      name: 'insert_call',
      text: 'insert into polykeep_internal.calls (call_sid, account, metadata) values ($1, 1, $2)',
      values: [callSid, metadata],
    });
    return reply.code(201).send({ callSid });
  },
);
console.log(await app.listen({ host: '127.0.0.1', port: 0 }));
process.once('SIGTERM', () => process.exit(0));
