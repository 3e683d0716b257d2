import { Pool } from 'undici';
import type { Observation } from '../call/call.ts';
import type { Answer } from './answer.ts';
import type { PolyAiApi, Scope } from './api.ts';
import { parseJson } from './json.ts';
import { PolyAiError } from './polyai-error.ts';
import { Starts } from './starts.ts';
import { type OutgoingRequest, Transport } from './transport.ts';

const MAX_STATUS_BYTES = 64 * 1024;
const MAX_MESSAGE_LENGTH = 300;
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
}

export function createPolyAiClient(options: PolyAiClientOptions): PolyAiClient {
  const { api, scope, token, timeoutMs } = options;
  const base = new URL(options.baseUrl);
  const prefix = base.pathname.replace(/\/+$/, '');
  const settings = { connect: { timeout: timeoutMs }, headersTimeout: 0, bodyTimeout: 0 };
  const polls = new Pool(base.origin, { ...settings, connections: CONNECTIONS });
  // `pipelining: 0` has undici keep no connection alive.
  const triggers = new Pool(base.origin, { ...settings, pipelining: 0 });
  const pollTransport = new Transport(polls);
  const triggerTransport = new Transport(triggers);
  const starts = new Starts();
  const headers = { [api.tokenHeader]: token, accept: 'application/json' };
  const statusLimits = { timeoutMs, maxBytes: MAX_STATUS_BYTES };

  function statusRequest(callSid: string): OutgoingRequest {
    return { method: 'GET', path: prefix + api.statusPath(callSid, scope), headers };
  }

  /** Throws `PolyAiError` where the answer is no status of the call. */
  function read(callSid: string, answer: Answer, before: Observation | null): Observation {
    const given = answer.body.toString('utf8');
    if (answer.statusCode === 200 && given === before?.body) return before;
    const text = blot(given);
    if (answer.statusCode !== 200) throw errorOf(answer, describe(answer.statusCode, parseJson(text)));
    return api.observe(callSid, text);
  }

  function describe(statusCode: number, body: unknown): string {
    const message = api.errorMessage(body);
    if (message === null) return `HTTP ${statusCode}`;
    return `HTTP ${statusCode}: ${blot(message.toWellFormed().replaceAll('\0', '')).slice(0, MAX_MESSAGE_LENGTH)}`;
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
      const mayBegin = starts.mayBegin();
      if (mayBegin !== undefined) await mayBegin;
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
      const request: OutgoingRequest = {
        method: 'POST',
        path: prefix + path,
        headers: { ...ofBody, ...headers },
        body,
      };
      return blotted(await triggerTransport.ask(request, TRIGGER_LIMITS));
    },

    async close() {
      await starts.open();
      await Promise.all([polls.close(), triggers.close()]);
    },
    async destroy() {
      await Promise.all([polls.destroy(), triggers.destroy()]);
    },
  };
}

function errorOf({ statusCode, retryAfterMs }: Answer, message: string): PolyAiError {
  switch (statusCode) {
    case 400:
      return new PolyAiError('rejected', message);
    case 401:
    case 403:
      return new PolyAiError('unauthorized', message);
    case 404:
      return new PolyAiError('not_found', message);
    case 429:
      return new PolyAiError('too_many', message, retryAfterMs);
    default:
      return new PolyAiError('unavailable', message, retryAfterMs);
  }
}
