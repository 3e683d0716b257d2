import type { Socket } from 'node:net';
import { type ProblemError, problem, problemBody } from '../problems.ts';

/**
 * How long a request may take to come in, so that slow ones do not pile up. Answers have no such limit: a wait or an
 * export may last longer.
 */
export const CONNECTION_TIMES = {
  /** From the first byte to the last one of the body, in milliseconds. */
  requestTimeout: 60_000,
  http: { headersTimeout: 20_000, connectionsCheckingInterval: 5_000 },
};

/** Answers what Node could not read as a request with a problem, as a route would. */
export function refuseConnection(error: Error, socket: Socket): void {
  if (!socket.writable) return void socket.destroy();
  const found = problemOf(error);
  const body = problemBody(found);
  socket.end(
    `HTTP/1.1 ${found.statusCode} ${found.title}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
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
