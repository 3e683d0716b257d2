import type { Observation } from '../call/call.ts';
import type { FailureCode } from '../call/verdict.ts';
import type { ProxyServer } from '../network/proxies.ts';
import type { Answer } from './answer.ts';
import type { PolyAiApi, Scope } from './api.ts';
import { Connection, ConnectionPool, OutgoingRequest } from './connections.ts';
import { parseJson } from './json.ts';
import { firstOf, isPolyAisError } from './observation.ts';
import { MAX_MESSAGE_LENGTH, PolyAiError } from './polyai-error.ts';
import { Transport } from './transport.ts';

const MAX_STATUS_BYTES = 64 * 1024;
/** A shorter secret, as of a trial run, may be a word that an honest message has too. */
const SECRET_MIN_LENGTH = 8;
/** Connections to PolyAI that status requests share. */
const CONNECTIONS = 512;
/** Placing a call may take PolyAI a while; who gives up early does not know whether it was placed. */
const TRIGGER_LIMITS = { timeoutMs: 60_000, maxBytes: 1024 * 1024 };

export interface Trigger {
  /** Path and query. */
  path: string;
  /** Those that tell how to read the body. */
  headers: Record<string, string>;
  body: Buffer;
}

export interface PolyAiClient {
  /**
   * Asks PolyAI for a call's status, once. Throws `PolyAiError` where the answer is no status, and the signal's
   * reason where the signal was aborted and no answer came within another 2 s. Gives back `before`, the same object,
   * where the body is the same as its body.
   */
  getStatus(callSid: string, signal: AbortSignal, before: Observation | null): Promise<Observation>;
  /** As `getStatus`, with the answer as it came. Throws `PolyAiError` where there was no answer. */
  askStatus(callSid: string): Promise<{ answer: Answer; result: Observation | PolyAiError }>;
  /**
   * Passes a trigger on, once, over a new connection: where PolyAI closes an old one at that moment, nobody knows
   * whether it placed the call. Throws `PolyAiError` `unreachable` where nothing was sent, and `unavailable` where
   * there is no whole answer.
   */
  trigger(request: Trigger): Promise<Answer>;
  /** Takes no more requests, and resolves when the pending ones are answered: a trigger may have placed its call. */
  close(): Promise<void>;
  /** Breaks pending requests off. */
  destroy(): Promise<void>;
}

interface PolyAiClientOptions {
  baseUrl: string;
  api: PolyAiApi;
  scope: Scope;
  /** Where an answer repeats it, `[token]` takes its place. */
  token: string;
  /** Of a status request, from asking for a connection to the last byte. */
  timeoutMs: number;
  /** Whether HTTP/2 is spoken where PolyAI offers it. As it comes no: it takes more CPU (docs/operations.md). */
  allowH2?: boolean;
  /** To PolyAI at a time, for status requests. */
  connections?: number;
  /** By which PolyAI is reached; null: directly. */
  proxy?: ProxyServer | null;
}

export function createPolyAiClient(options: PolyAiClientOptions): PolyAiClient {
  const { api, scope, token, timeoutMs, allowH2 = false, connections = CONNECTIONS, proxy = null } = options;
  const base = new URL(options.baseUrl);
  const prefix = base.pathname.replace(/\/+$/, '');
  const settings = { timeoutMs, allowH2, proxy };
  const polls = new ConnectionPool(base.origin, connections, settings);
  const pollTransport = new Transport(polls);
  /** Each trigger under way, with the connection of its own that it has. */
  const triggers = new Map<Transport, Connection>();
  let isClosed = false;
  const headers = { [api.tokenHeader]: token, accept: 'application/json' };
  const statusLimits = { timeoutMs, maxBytes: MAX_STATUS_BYTES };

  function statusRequest(callSid: string): OutgoingRequest {
    return new OutgoingRequest('GET', prefix + api.statusPath(callSid, scope), headers);
  }

  /** Throws `PolyAiError` where the answer is no status of the call. */
  function read(callSid: string, answer: Answer, before: Observation | null): Observation {
    const given = answer.body.toString('utf8');
    if (answer.statusCode === 200 && given === before?.body) return before;
    const text = blot(given);
    if (answer.statusCode !== 200) throw errorOf(answer, parseJson(text));
    return api.observe(callSid, text);
  }

  function errorOf({ statusCode, retryAfterMs }: Answer, body: unknown): PolyAiError {
    const said = api.errorMessage(body);
    const code = failureOf(statusCode, isPolyAisError(body));
    const message = said === null ? `HTTP ${statusCode}` : `HTTP ${statusCode}: ${storable(said)}`;
    return new PolyAiError(code, message, retryAfterMs);
  }

  function storable(said: string): string {
    return firstOf(blot(said.toWellFormed().replaceAll('\0', '')), MAX_MESSAGE_LENGTH);
  }

  /** Takes the token out: the text goes to the archive, and to clients that do not know the token. */
  function blot(text: string): string {
    return token.length < SECRET_MIN_LENGTH ? text : text.replaceAll(token, '[token]');
  }

  function blotted(answer: Answer): Answer {
    if (!answer.body.includes(token)) return answer;
    return { ...answer, body: Buffer.from(blot(answer.body.toString('utf8'))) };
  }

  return {
    async getStatus(callSid, signal, before) {
      return read(callSid, await pollTransport.ask(statusRequest(callSid), statusLimits, signal), before);
    },

    async askStatus(callSid) {
      const answer = blotted(await pollTransport.ask(statusRequest(callSid), statusLimits));
      try {
        return { answer, result: read(callSid, answer, null) };
      } catch (error) {
        if (!(error instanceof PolyAiError)) throw error;
        return { answer, result: error };
      }
    },

    async trigger({ path, headers: ofBody, body }) {
      if (isClosed) throw new PolyAiError('unreachable', 'the account’s connections are closed');
      const request = new OutgoingRequest('POST', prefix + path, { ...ofBody, ...headers }, body);
      const connection = new Connection(base.origin, settings);
      const transport = new Transport(connection);
      triggers.set(transport, connection);
      try {
        return blotted(await transport.ask(request, TRIGGER_LIMITS));
      } finally {
        triggers.delete(transport);
        await connection.destroy();
      }
    },

    async close() {
      isClosed = true;
      await Promise.all([pollTransport.idle(), ...[...triggers.keys()].map((transport) => transport.idle())]);
      await polls.destroy();
    },
    async destroy() {
      isClosed = true;
      await Promise.all([
        polls.destroy(),
        ...[...triggers.values()].map((connection) => connection.destroy()),
      ]);
    },
  };
}

/**
 * What an error of this status says. A 404 or 400 counts only in PolyAI's own words: any
 * gateway in between may answer one, and it knows nothing of calls.
 */
function failureOf(statusCode: number, isPolyAis: boolean): FailureCode {
  switch (statusCode) {
    case 400:
      return isPolyAis ? 'rejected' : 'unavailable';
    case 404:
      return isPolyAis ? 'not_found' : 'unavailable';
    case 401:
    case 403:
      return 'unauthorized';
    case 429:
      return 'too_many';
    default:
      return 'unavailable';
  }
}
