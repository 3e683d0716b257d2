import type { FastifyInstance } from 'fastify';
import { codeOf, wordsOf } from '../words.ts';

interface Address {
  host: string;
  port: number;
  /** Which the port comes from. */
  variable: 'PORT' | 'WORKER_PORT';
}

/** The server cannot listen where it was told to; the message names the variable. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly code = 'cannot_listen';
}

/** Begins to listen, and returns the URL. Throws `ListenError`. */
export async function listenOn(server: FastifyInstance, { host, port, variable }: Address): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (error) {
    throw new ListenError(`${meaningOf(codeOf(error), { host, port, variable })} (${wordsOf(error)})`, {
      cause: error,
    });
  }
}

function meaningOf(code: string | null, { host, port, variable }: Address): string {
  switch (code) {
    case 'EADDRINUSE':
      return `${variable}: ${port} on ${host} is taken by another program: stop that, or set ${variable} to a free port`;
    case 'EACCES':
      return `${variable}: this user may not listen on ${port}: set ${variable} to 1024 or more`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `HOST: ${host} is no address of this machine`;
    default:
      return `HOST, ${variable}: nobody can listen on ${port} of ${host}`;
  }
}
