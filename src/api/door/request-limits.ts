import { normalizeIP } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ProblemError, problem } from '../problems.ts';
import { type ApiKey, findKey, sha256 } from './api-keys.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route tells how the process is. It answers under any load: no limit and no pressure refuses it. */
    isProbe?: boolean;
  }
}

const WINDOW_MS = 1_000;
/** Different wrong keys from one address: somebody who guesses. A client with an old key sends the same one again. */
const MAX_GUESSES_PER_WINDOW = 10;

/** Limits requests by the second. Each process counts for itself, in memory. All throw `too_many_requests`. */
interface RequestLimits {
  /** Counts a request for its key; without a key, for the address that it comes from. */
  take(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** The key that was given, or null where it is none. An address that tried many wrong ones is refused instead. */
  tryKey(given: string, request: FastifyRequest, reply: FastifyReply): ApiKey | null;
}

/** `app` must have `@fastify/rate-limit`. `maxPerSecond`: requests of one key, or of one address without a key. */
export function createRequestLimits(
  app: FastifyInstance,
  { keys, maxPerSecond }: { keys: readonly ApiKey[]; maxPerSecond: number },
): RequestLimits {
  const requests = app.createRateLimit({
    max: maxPerSecond,
    timeWindow: WINDOW_MS,
    keyGenerator: (request) => (request.apiKey === null ? addressOf(request) : `key ${request.apiKey.name}`),
  });
  /** Digests of the wrong keys since the window began, by address. */
  const guesses = new Map<string, Set<string>>();
  let windowEndsAt = 0;

  function guessesFrom(address: string): Set<string> {
    const now = performance.now();
    if (now >= windowEndsAt) {
      guesses.clear();
      windowEndsAt = now + WINDOW_MS;
    }
    return guesses.get(address) ?? new Set();
  }

  return {
    async take(request, reply) {
      const taken = await requests(request);
      if (taken.isAllowed || !taken.isExceeded) return;
      const whose = request.apiKey === null ? 'this address' : `the key ${request.apiKey.name}`;
      refuse(reply, taken.ttlInSeconds, problem.tooManyRequests(maxPerSecond, whose));
    },

    // Without an await: each of many requests at once must count before the next is looked at.
    tryKey(given, request, reply) {
      const address = addressOf(request);
      const guessed = guessesFrom(address);
      if (guessed.size >= MAX_GUESSES_PER_WINDOW) {
        refuse(reply, WINDOW_MS / 1000, problem.tooManyWrongKeys());
      }
      const key = findKey(keys, given);
      if (key === null) guesses.set(address, guessed.add(sha256(given).toString('base64')));
      return key;
    },
  };
}

/** Of IPv6 the /64 network, which one household has to itself. */
function addressOf({ ip }: FastifyRequest): string {
  return normalizeIP(ip);
}

function refuse(reply: FastifyReply, seconds: number, refusal: ProblemError): never {
  reply.header('retry-after', seconds);
  throw refusal;
}
