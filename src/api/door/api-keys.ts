import { createHash, timingSafeEqual } from 'node:crypto';

export type KeyScope = 'read' | 'write';

/** A key that opens the API. The process keeps its digest, never the key itself. */
export interface ApiKey {
  readonly name: string;
  /** `write` may read too. */
  readonly scope: KeyScope;
  /** SHA-256 of the key. */
  readonly digest: Buffer;
}

/** Shorter ones can be guessed. */
const MIN_LENGTH = 16;
const FORM = /^(?<name>[A-Za-z0-9._-]{1,63}):(?<scope>read|write):(?<key>[\x21-\x7e]+)$/;
const HASHED = /^sha256:(?<hex>[0-9a-f]{64})$/i;

/**
 * Reads `API_KEYS`: a comma list of `NAME:SCOPE:KEY` or `NAME:SCOPE:sha256:HEX`. Each mistake is added to `problems`
 * with its place in the list, and never with the key.
 */
export function readApiKeys(text: string, problems: string[]): ApiKey[] {
  const keys: ApiKey[] = [];
  for (const [index, entry] of text.split(',').entries()) {
    const complain = (problem: string) => void problems.push(`API_KEYS: entry ${index + 1}: ${problem}`);
    const { name = '', scope, key = '' } = FORM.exec(entry.trim())?.groups ?? {};
    if (scope !== 'read' && scope !== 'write') {
      complain('must be NAME:SCOPE:KEY or NAME:SCOPE:sha256:HEX, with the scope read or write');
    } else if (keys.some((other) => other.name === name)) complain(`the name ${name} is there twice`);
    else if (key.startsWith('sha256:') && !HASHED.test(key))
      complain('sha256: must be followed by 64 hex digits');
    else if (!HASHED.test(key) && key.length < MIN_LENGTH)
      complain(`a key needs ${MIN_LENGTH} characters or more`);
    else keys.push({ name, scope, digest: digestOf(key) });
  }
  return keys;
}

/** The key that a caller gave, or null where it is none. The time it takes tells nothing of the keys. */
export function findKey(keys: readonly ApiKey[], given: string): ApiKey | null {
  const digest = sha256(given);
  return keys.filter((key) => timingSafeEqual(key.digest, digest))[0] ?? null;
}

function digestOf(key: string): Buffer {
  const hex = HASHED.exec(key)?.groups?.hex;
  return hex === undefined ? sha256(key) : Buffer.from(hex, 'hex');
}

/** A digest always has the same length, which `timingSafeEqual` needs. */
export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
