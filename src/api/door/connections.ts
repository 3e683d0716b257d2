import type { Socket } from 'node:net';
import { type ProblemError, problem, problemBody } from '../problems.ts';

/** How long a client may take. A request that waits for news, or an export, may go on for longer than it comes in. */
export const CONNECTION_TIMES = {
  /** A request, from the first byte to the last one of the body, in milliseconds. */
  requestTimeout: 60_000,
  http: { headersTimeout: 20_000, connectionsCheckingInterval: 5_000 },
  /**
   * A connection on which nothing comes or goes while a request is under way: above all a client that does not read its
   * answer. Postgres ends an export whose reader has paused for 10 minutes; nothing else is silent for longer.
   */
  connectionTimeout: 11 * 60_000,
  /**
   * From the request to its answer, where a route does not say otherwise: 503 then. Postgres takes at most 35 s for one
   * question, 5 s of them for a connection.
   */
  handlerTimeout: 45_000,
};

/** A client that was refused may read why, and is then to close its side. */
const LAST_WORDS_MS = 5_000;

/** Answers what Node could not read as a request with a problem, as a route would. */
export function refuseConnection(error: Error, socket: Socket): void {
  if (!socket.writable) return void socket.destroy();
  const found = problemOf(error);
  const body = problemBody(found);
  socket.end(
    `HTTP/1.1 ${found.statusCode} ${found.title}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  socket.setTimeout(LAST_WORDS_MS, () => socket.destroy());
}

function problemOf(error: Error): ProblemError {
  switch ('code' in error ? error.code : '') {
    case 'HPE_HEADER_OVERFLOW':
      return problem.headersTooLarge();
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return problem.requestTimeout();
    default:
      return problem.unreadableRequest(error.message);
  }
}
