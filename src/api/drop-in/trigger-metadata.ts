import type { Metadata } from '../../call/call.ts';
import { storableText } from '../../call/limits.ts';
import { problem } from '../problems.ts';

/**
 * The `metadata` of a trigger, which is kept with the call only where `X-Polykeep-Metadata: true` asks for it: it may
 * hold what a company does not want to keep. Values that are no text are kept as JSON. Throws `invalid_request` for another
 * value of the header, before a call is placed.
 */
export function triggerMetadata(header: string | string[] | undefined, body: unknown): Metadata {
  const asked = header === undefined ? 'false' : `${header}`.trim().toLowerCase();
  if (asked !== 'true' && asked !== 'false') {
    throw problem.invalidField('X-Polykeep-Metadata', 'must be true or false');
  }
  if (asked === 'false' || typeof body !== 'object' || body === null || !('metadata' in body)) return {};
  const { metadata } = body;
  if (typeof metadata !== 'object' || metadata === null) return {};
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [
      storableText(key),
      storableText(typeof value === 'string' ? value : JSON.stringify(value)),
    ]),
  );
}
