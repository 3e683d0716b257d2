import { Pool } from 'undici';
import type { Observation } from '../call/call.ts';
import type { PolyAiApi, Scope } from './api.ts';
import { parseJson } from './json.ts';
import { PolyAiError } from './polyai-error.ts';
import { type Answer, type OutgoingRequest, Transport } from './requests.ts';
import { Starts } from './starts.ts';

const MAX_STATUS_BYTES = 64 * 1024;
const MAX_TRIGGER_BYTES = 1024 * 1024;
const MAX_MESSAGE_LENGTH = 300;
/** Shorter secrets, as in a trial run, are words that may well stand in an honest message. */
const SECRET_MIN_LENGTH = 8;
/** PolyAI may take its time to place a call, and to give up on it early is not to know whether it was placed. */
const TRIGGER_TIMEOUT_MS = 60_000;

export interface Trigger {
  /** Path and query. */
  path: string;
  /** Of the body. */
  headers: Record<string, string>;
  body: Buffer;
}

export interface PolyAiClient {
  /**
   * Asks PolyAI for a call's status, once. Throws `PolyAiError` where the answer is no status, and the signal's
   * reason where it was aborted and no answer came within another 2 s. Gives back what was seen `before` where the
   * body is the same: it is not read again.
   */
  getStatus(callSid: string, signal: AbortSignal, before: Observation | null): Promise<Observation>;
  /** As `getStatus`, with the answer as it came. Throws `PolyAiError` where there is none. */
  askStatus(callSid: string): Promise<{ answer: Answer; result: Observation | PolyAiError }>;
  /**
   * Passes a trigger on, once, on a connection of its own: one that PolyAI is about to close could leave open whether
   * the call was placed. Throws `PolyAiError` `unreachable` where nothing was sent,
   * and `unavailable` where there is no whole answer.
   */
  trigger(request: Trigger): Promise<Answer>;
  /** Takes no more requests, and resolves when those under way are answered: a trigger may have placed its call. */
  close(): Promise<void>;
  /** Breaks off what is under way. */
  destroy(): Promise<void>;
}

export interface PolyAiClientOptions {
  baseUrl: string;
  api: PolyAiApi;
  scope: Scope;
  /** Never let out again: where an answer repeats it, it is blotted. */
  token: string;
  /** Of a status request, from asking for a connection to the last byte. */
  timeoutMs: number;
  connections?: number;
}

export function createPolyAiClient(options: PolyAiClientOptions): PolyAiClient {
  const { api, scope, token, timeoutMs } = options;
  const base = new URL(options.baseUrl);
  const prefix = base.pathname.replace(/\/+$/, '');
  const settings = { connect: { timeout: timeoutMs }, headersTimeout: 0, bodyTimeout: 0 };
  const polls = new Pool(base.origin, { ...settings, connections: options.connections ?? 512 });
  // Without pipelining undici keeps no connection alive.
  const triggers = new Pool(base.origin, { ...settings, pipelining: 0 });
  const pollTransport = new Transport(polls);
  const triggerTransport = new Transport(triggers);
  const starts = new Starts();
  const headers = { [api.tokenHeader]: token, accept: 'application/json' };

  function statusRequest(callSid: string): OutgoingRequest {
    return { method: 'GET', path: prefix + api.statusPath(callSid, scope), headers };
  }

  const limits = { timeoutMs, maxBytes: MAX_STATUS_BYTES };

  /** Throws `PolyAiError` where the answer is no status of the call. */
  function read(callSid: string, answer: Answer, before: Observation | null): Observation {
    const told = answer.body.toString('utf8');
    if (answer.statusCode === 200 && told === before?.body) return before;
    const text = blot(told);
    if (answer.statusCode !== 200) throw errorOf(answer, describe(answer.statusCode, parseJson(text)));
    return api.observe(callSid, text);
  }

  function describe(statusCode: number, body: unknown): string {
    const message = api.errorMessage(body);
    if (message === null) return `HTTP ${statusCode}`;
    return `HTTP ${statusCode}: ${blot(message.toWellFormed().replaceAll('\0', '')).slice(0, MAX_MESSAGE_LENGTH)}`;
  }

  /** The answer goes on to the archive, and to clients that may not know the token. */
  function blot(text: string): string {
    return token.length < SECRET_MIN_LENGTH ? text : text.replaceAll(token, '[token]');
  }

  function blotted(answer: Answer): Answer {
    if (!answer.body.includes(token)) return answer;
    return { ...answer, body: Buffer.from(blot(answer.body.toString('utf8'))) };
  }

  return {
    async getStatus(callSid, signal, before) {
      const turn = starts.turn();
      if (turn !== undefined) await turn;
      return read(callSid, await pollTransport.ask(statusRequest(callSid), limits, signal), before);
    },

    async askStatus(callSid) {
      const answer = blotted(await pollTransport.ask(statusRequest(callSid), limits));
      try {
        return { answer, result: read(callSid, answer, null) };
      } catch (error) {
        if (!(error instanceof PolyAiError)) throw error;
        return { answer, result: error };
      }
    },

    async trigger({ path, headers: ofBody, body }) {
      const asked: OutgoingRequest = {
        method: 'POST',
        path: prefix + path,
        headers: { ...ofBody, ...headers },
        body,
      };
      const limits = { timeoutMs: TRIGGER_TIMEOUT_MS, maxBytes: MAX_TRIGGER_BYTES };
      return blotted(await triggerTransport.ask(asked, limits));
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
