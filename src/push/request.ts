import manifest from '../../package.json' with { type: 'json' };
import type { Message } from './message.ts';
import type { Request } from './post.ts';
import { signatureHeaders } from './signature.ts';

/** The request that brings a message to an endpoint at this time. */
export function requestOf(
  { url }: { url: string },
  { id, body }: Message,
  keys: readonly Buffer[],
  now: Date,
): Request {
  return {
    url,
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': `polykeep/${manifest.version}`,
      ...signatureHeaders({ id, at: now, body, keys }),
    },
  };
}
