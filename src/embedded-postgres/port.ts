import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { codeOf } from '../words.ts';
import { EmbeddedPostgresError } from './embedded-errors.ts';

/** Below what systems give to connections that programs make, which may have any of those for a while. */
const FIRST = 20_000;
const LAST = 29_999;
const TRIES = 100;

/** A port where nobody listens. Throws `EmbeddedPostgresError`. */
export async function chooseFreePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(FIRST, LAST + 1);
    if (await isFree(port)) return port;
  }
  throw new EmbeddedPostgresError('embedded Postgres: no free port; set EMBEDDED_POSTGRES_PORT to one');
}

/** Whether nobody listens there. What else may be in the way of a server, it says itself. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  server.once('error', (error) => resolve(codeOf(error) !== 'EADDRINUSE'));
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  return promise;
}
