import fastify from 'fastify';
import { Pool } from 'pg';

/**
 * The least that any route on this Postgres takes, in a process of its own as the sidecar is: `select 1`, the same
 * Fastify, the same pg, as many connections. Prints where it listens.
 */
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10, keepAlive: true });
const app = fastify();
app.get('/', async () => (await pool.query<{ one: number }>('select 1 as one')).rows[0]);
console.log(await app.listen({ host: '127.0.0.1', port: 0 }));
process.once('SIGTERM', () => process.exit(0));
