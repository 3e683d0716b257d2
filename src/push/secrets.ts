import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Signer } from './webhook.ts';

/** After a rotation the secret before it goes on signing for so long. */
const BOTH_SIGN_MS = 24 * 60 * 60_000;
/** Whoever rotates more often has forgotten the older ones: a header has an end. */
const SIGN_AT_MOST = 5;

/**
 * The secrets of endpoints. None is kept: each is derived from the root, the endpoint's id and how often it was rotated.
 */
export interface Secrets {
  /** The newest one, as its receiver is shown it. */
  shown(signer: Pick<Signer, 'id' | 'rotations'>): string;
  /** The keys that sign at this time, the newest first. */
  keys(signer: Pick<Signer, 'id' | 'rotations'>, now: Date): Buffer[];
  /** Tells the root of this endpoint's secrets from another one, and nothing else. */
  check(id: string): string;
  /** Whether its secrets come from this root. */
  isOurs(signer: Pick<Signer, 'id' | 'secretCheck'>): boolean;
}

export function createSecrets(root: string): Secrets {
  const derived = (purpose: string) => createHmac('sha256', root).update(`polykeep ${purpose}`).digest();
  const key = (id: string, version: number) => derived(`webhook secret ${id} ${version}`);
  const check = (id: string) => derived(`webhook check ${id}`).toString('base64url').slice(0, 16);

  return {
    shown: ({ id, rotations }) => `whsec_${key(id, rotations.length).toString('base64')}`,
    keys({ id, rotations }, now) {
      const replaced = rotations.map((at, version) => ({ version, until: at.getTime() + BOTH_SIGN_MS }));
      const older = replaced.filter(({ until }) => until > now.getTime()).map(({ version }) => version);
      const versions = [...older, rotations.length].slice(-SIGN_AT_MOST).reverse();
      return versions.map((version) => key(id, version));
    },
    check,
    isOurs({ id, secretCheck }) {
      const [own, given] = [Buffer.from(check(id)), Buffer.from(secretCheck)];
      return own.length === given.length && timingSafeEqual(own, given);
    },
  };
}
