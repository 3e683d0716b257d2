import { once } from 'node:events';

/**
 * What a candidate that is a process of its own is told by whoever measures it: by its environment where everything is,
 * by message which calls to follow, once it says that it is ready.
 */
export interface Told {
  upstreamUrl: string;
  /** Empty, and its own. */
  databaseUrl: string;
  redisUrl: string;
  /** The setting that is tried: connections, jobs at a time. */
  size: number;
  /** To the upstream; as many as `size` unless more requests go over each. */
  connections: number;
}

export function told(): Told {
  const {
    UPSTREAM_URL = '',
    DATABASE_URL = '',
    REDIS_URL = '',
    SIZE = '1',
    CONNECTIONS = SIZE,
  } = process.env;
  process.once('disconnect', () => process.exit(0));
  return {
    upstreamUrl: UPSTREAM_URL,
    databaseUrl: DATABASE_URL,
    redisUrl: REDIS_URL,
    size: Number(SIZE),
    connections: Number(CONNECTIONS),
  };
}

/** Call it when all is ready: the calls live from then on. */
export async function callsToFollow(): Promise<string[]> {
  process.send?.('ready');
  const callSids: string[] = (await once(process, 'message'))[0];
  return callSids;
}

export function statusPath(callSid: string): string {
  return `/v1/outbound-calling/${callSid}/status`;
}

/** What the sidecar sends too. */
export const HEADERS = { 'x-polyai-auth-token': 'a-token-of-some-length', accept: 'application/json' };
