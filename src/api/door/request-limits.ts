import { normalizeIP } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ProblemError, problem } from '../problems.ts';
import type { CountRefusal } from './count-refusal.ts';
import { WrongKeys } from './wrong-keys.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route tells how the process is. It answers under any load: no limit and no pressure refuses it. */
    isProbe?: boolean;
  }
  interface FastifyRequest {
    /** Whose requests it counts with, as `the key NAME`; null: those of its address. */
    holder: string | null;
  }
}

const WINDOW_MS = 1_000;

/** Limits requests by the second. Each process counts for itself, in memory. All throw `too_many_requests`. */
interface RequestLimits {
  /** Counts a request for its holder; without one, for the address that it comes from. */
  take(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** Of a request with a key that is none. Where its address tries many, it is refused here, and not at once. */
  wrongKey(request: FastifyRequest, reply: FastifyReply, given: string): Promise<void>;
}

interface RequestLimitsOptions {
  /** Requests of one holder of a key, or of one address without a key. */
  maxPerSecond: number;
  count: CountRefusal;
}

/** `app` must have `@fastify/rate-limit`. */
export function createRequestLimits(
  app: FastifyInstance,
  { maxPerSecond, count }: RequestLimitsOptions,
): RequestLimits {
  app.decorateRequest('holder', null);
  const wrongKeys = new WrongKeys({ count, log: app.log });
  const requests = app.createRateLimit({
    max: maxPerSecond,
    timeWindow: WINDOW_MS,
    keyGenerator: (request) => request.holder ?? addressOf(request),
  });

  return {
    async take(request, reply) {
      const taken = await requests(request);
      if (taken.isAllowed || !taken.isExceeded) return;
      count('rate');
      const whose = request.holder ?? 'this address';
      refuse(reply, taken.ttlInSeconds, problem.tooManyRequests(maxPerSecond, whose));
    },

    async wrongKey(request, reply, given) {
      const refusal = await wrongKeys.refuse(given, addressOf(request));
      if (refusal === null) return;
      if (refusal.closes) reply.header('connection', 'close');
      refuse(reply, WINDOW_MS / 1000, refusal.problem);
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
