import { normalizeIP } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ProblemError, problem } from '../problems.ts';
import { type ApiKey, findKey, sha256 } from './api-keys.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How the process is, must be told whatever the load: no limit and no pressure keeps such a route from answering. */
    isProbe?: boolean;
  }
}

const WINDOW_MS = 1_000;
/** Different wrong keys from one address. Who has an old one makes one mistake, over and over. */
const MAX_GUESSES_PER_WINDOW = 10;

/** How many requests are taken. Each process counts for itself, in memory. All throw `too_many_requests`. */
export interface RequestLimits {
  /** Counts a request: of its key, or without one of the address it comes from. */
  take(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** The key that a request brings, if there is such. Who has tried many that are none is not told. */
  tryKey(given: string, request: FastifyRequest, reply: FastifyReply): ApiKey | null;
}

/** `app` has `@fastify/rate-limit`. */
export function createRequestLimits(
  app: FastifyInstance,
  { keys, maxPerSecond }: { keys: readonly ApiKey[]; maxPerSecond: number },
): RequestLimits {
  const requests = app.createRateLimit({
    max: maxPerSecond,
    timeWindow: WINDOW_MS,
    keyGenerator: (request) => (request.apiKey === null ? addressOf(request) : `key ${request.apiKey.name}`),
  });
  /** By address, since the window began. */
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

    // In one go: of requests that come together, each must count before the next is looked at.
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

/** Of IPv6, the network that one household has. */
function addressOf({ ip }: FastifyRequest): string {
  return normalizeIP(ip);
}

function refuse(reply: FastifyReply, seconds: number, refusal: ProblemError): never {
  reply.header('retry-after', seconds);
  throw refusal;
}
