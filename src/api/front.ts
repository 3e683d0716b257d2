import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { LastAnswer } from '../archive/call.ts';
import { ArchiveUnavailableError } from '../archive/errors.ts';
import type { ArchiveReader } from '../archive/reader.ts';
import { type PolyAiApi, triggeredCallSid } from '../polyai/api.ts';
import { APIS } from '../polyai/apis.ts';
import { PolyAiError } from '../polyai/errors.ts';
import type { Answer } from '../polyai/exchange.ts';
import type { Accounts } from '../tracking/accounts.ts';
import { accountOf, FrontError } from './front-accounts.ts';
import type { PlacedCalls } from './placed-calls.ts';
import { CallSid } from './schemas.ts';
import { triggerMetadata } from './trigger-metadata.ts';
import { checker } from './validation.ts';

export interface FrontRoutesOptions {
  accounts: Pick<Accounts, 'all'>;
  reader: Pick<ArchiveReader, 'readLastAnswer'>;
  placedCalls: PlacedCalls;
}

const checkCallSid = checker<string>(CallSid);

/**
 * PolyAI's own routes, for clients that change nothing but their base URL: a status is PolyAI's last word on the call,
 * from the archive, and a trigger is passed on and its call followed.
 */
export function frontRoutes(app: FastifyInstance, options: FrontRoutesOptions, done: () => void): void {
  // A trigger is passed on byte by byte, whatever its client says it is.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => parsed(null, body));
  for (const api of APIS) {
    app.get(api.statusRoute, { exposeHeadRoute: false, config: { access: 'front' } }, (request, reply) =>
      inItsWords(api, reply, answerStatus(api, request, reply, options)),
    );
    for (const route of api.triggerRoutes) {
      app.post(route, { config: { access: 'front' } }, (request, reply) =>
        inItsWords(api, reply, options.placedCalls.during(answerTrigger(api, request, reply, options))),
      );
    }
  }
  done();
}

/** What the front itself has to say comes in the API's envelope: its clients know no other. */
async function inItsWords(
  api: PolyAiApi,
  reply: FastifyReply,
  answering: Promise<FastifyReply>,
): Promise<FastifyReply> {
  try {
    return await answering;
  } catch (error) {
    if (!(error instanceof FrontError)) throw error;
    return reply.code(error.statusCode).send(api.errorBody(error.message, error.code));
  }
}

async function answerStatus(
  api: PolyAiApi,
  request: FastifyRequest,
  reply: FastifyReply,
  { accounts, reader, placedCalls }: FrontRoutesOptions,
): Promise<FastifyReply> {
  const { params, query } = partsOf(request);
  const account = accountOf(request, api, { params, query, body: undefined }, accounts.all(), 'read');
  const callSid = `${params.callSid}`;
  const known = await lastAnswer(reader, callSid);
  const isOurs = known === null || known.account === account.name;
  if (known !== null && isOurs && known.body !== null && known.observedAt !== null) {
    return sendKept(reply, known.body, known.observedAt);
  }

  const { answer, result } = await account
    .askStatus(callSid)
    .catch((error: unknown) => refuseFor(error, 502, 'PolyAI did not answer'));
  if (isOurs && !(result instanceof PolyAiError) && !('error' in checkCallSid(callSid))) {
    await placedCalls.keep(
      { callSid, account: account.name, metadata: {} },
      { ...result, changedAfter: null, observedAt: new Date() },
    );
  }
  return sendAnswer(reply, answer);
}

/** Without Postgres the front is what PolyAI would be without us. */
async function lastAnswer(reader: FrontRoutesOptions['reader'], callSid: string): Promise<LastAnswer | null> {
  try {
    return await reader.readLastAnswer(callSid);
  } catch (error) {
    if (error instanceof ArchiveUnavailableError) return null;
    throw error;
  }
}

function sendKept(reply: FastifyReply, body: string, observedAt: Date): FastifyReply {
  const age = Math.max(0, Math.floor((Date.now() - observedAt.getTime()) / 1000));
  return (
    reply
      .header('age', age)
      .header('x-polykeep-observed-at', observedAt.toISOString())
      .type('application/json')
      // As bytes: to a text Fastify adds a charset that PolyAI does not name.
      .send(Buffer.from(body))
  );
}

async function answerTrigger(
  api: PolyAiApi,
  request: FastifyRequest,
  reply: FastifyReply,
  { accounts, placedCalls }: FrontRoutesOptions,
): Promise<FastifyReply> {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const parsed = parseJson(body);
  const account = accountOf(request, api, { ...partsOf(request), body: parsed }, accounts.all(), 'write');
  const metadata = triggerMetadata(request.headers['x-polykeep-metadata'], parsed);
  const contentType = request.headers['content-type'] ?? 'application/json';
  const answer = await account
    .trigger({ path: request.url, contentType, body })
    .catch((error: unknown) => refuseFor(error, 504, 'it is not known whether the call was placed'));
  if (answer.statusCode >= 200 && answer.statusCode < 300) {
    const callSid = triggeredCallSid(parseJson(answer.body));
    if (callSid === null || 'error' in checkCallSid(callSid)) {
      request.log.error(
        { callSid, account: account.name },
        'a trigger was answered without a callSid to follow',
      );
    } else {
      await placedCalls.keep({ callSid, account: account.name, metadata }, null);
    }
  }
  return sendAnswer(reply, answer);
}

function refuseFor(error: unknown, statusCode: number, what: string): never {
  if (!(error instanceof PolyAiError)) throw error;
  throw new FrontError(statusCode, 'polyai_unavailable', `${what}: ${error.message}`);
}

function sendAnswer(reply: FastifyReply, answer: Answer): FastifyReply {
  if (answer.retryAfter !== null) reply.header('retry-after', answer.retryAfter);
  if (answer.contentType !== null) reply.type(answer.contentType);
  return reply.code(answer.statusCode).send(answer.body);
}

function partsOf({ params, query }: FastifyRequest) {
  return { params: asObject(params), query: asObject(query) };
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
