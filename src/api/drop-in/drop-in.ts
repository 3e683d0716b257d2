import type { IncomingHttpHeaders } from 'node:http';
import type {
  FastifyBaseLogger,
  FastifyError,
  FastifyInstance,
  FastifyPluginCallback,
  FastifyReply,
  FastifyRequest,
} from 'fastify';
import type { Accounts } from '../../accounts/accounts.ts';
import type { ArchiveReader } from '../../archive/read/reader.ts';
import type { LastAnswer } from '../../call/call.ts';
import { isCallSid } from '../../call/limits.ts';
import { within } from '../../clock.ts';
import type { Answer } from '../../polyai/answer.ts';
import { type PolyAiApi, triggeredCallSid } from '../../polyai/api.ts';
import { APIS } from '../../polyai/apis.ts';
import { parseJson } from '../../polyai/json.ts';
import { PolyAiError } from '../../polyai/polyai-error.ts';
import { RETRY_AFTER_SECONDS } from '../error-handler.ts';
import { ProblemError, problem } from '../problems.ts';
import { CallSid } from '../schemas.ts';
import { checker } from '../validation.ts';
import { accountOf, givenToken } from './drop-in-account.ts';
import { statusOperation, triggerOperation } from './drop-in-operations.ts';
import type { PlacedCalls } from './placed-calls.ts';
import { triggerMetadata } from './trigger-metadata.ts';

export interface DropInRoutesOptions {
  accounts: Pick<Accounts, 'all'>;
  reader: Pick<ArchiveReader, 'readLastAnswer'>;
  placedCalls: PlacedCalls;
}

const ARCHIVE_PATIENCE_MS = 1_000;
/** Longer than PolyAI may take for a trigger: its caller is to learn of the call. */
const ANSWER_WITHIN_MS = 120_000;
const checkCallSid = checker<string>(CallSid, 'callSid');

/**
 * PolyAI's own routes, for clients that change nothing but their base URL. A status request is answered from the
 * archive, with the body that PolyAI gave last. A trigger is passed on, and the call that it places is followed.
 */
export function dropInRoutes(app: FastifyInstance, options: DropInRoutesOptions, done: () => void): void {
  // A trigger is passed on byte by byte, whatever content type its client names.
  // The schemas of these routes are for openapi.json alone: they check nothing.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => parsed(null, body));
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => JSON.stringify);
  for (const api of APIS) app.register(routesOf(api, options));
  done();
}

function routesOf(api: PolyAiApi, options: DropInRoutesOptions): FastifyPluginCallback {
  const config = {
    access: 'drop-in' as const,
    tokenOf: (request: FastifyRequest) => givenToken(request, api, options.accounts.all()),
  };
  const status = { config, handlerTimeout: ANSWER_WITHIN_MS, schema: statusOperation(api) };
  return (app, _, done) => {
    app.setErrorHandler((error: FastifyError, request, reply) => inItsWords(api, error, request, reply));
    app.get(api.statusRoute, status, (request, reply) => answerStatus(api, request, reply, options));
    for (const route of api.triggerRoutes) {
      const trigger = { config, handlerTimeout: ANSWER_WITHIN_MS, schema: triggerOperation(api, route) };
      app.post(route, trigger, (request, reply) => answerTrigger(api, request, reply, options));
    }
    done();
  };
}

/** Answers an error of the drop-in itself in the envelope of PolyAI's API: its clients know no other. */
function inItsWords(
  api: PolyAiApi,
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const status = error.statusCode ?? 500;
  const isFault = status >= 500 && !(error instanceof ProblemError);
  if (isFault) request.log.error({ err: error }, 'request failed');
  if (error instanceof ProblemError && status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
  const message = isFault ? 'an error of polykeep' : error.message;
  return reply.code(status).send(api.errorBody(message, error.code));
}

async function answerStatus(
  api: PolyAiApi,
  request: FastifyRequest,
  reply: FastifyReply,
  { accounts, reader, placedCalls }: DropInRoutesOptions,
): Promise<FastifyReply> {
  const { params, query } = paramsAndQuery(request);
  const account = accountOf(request, api, { params, query, body: undefined }, accounts.all(), 'read');
  const callSid = checkCallSid(params.callSid);
  const known = await lastAnswer(reader, callSid, request.log);
  const isOurs = known === null || known.account === account.name;
  if (known !== null && isOurs && known.body !== null && known.observedAt !== null) {
    return sendKept(reply, known.body, known.observedAt);
  }

  const askedAt = new Date();
  const { answer, result } = await account
    .askStatus(callSid)
    .catch((error: unknown) => refuseFor(error, 502, 'PolyAI did not answer'));
  if (isOurs && !(result instanceof PolyAiError)) {
    await placedCalls.keep(
      { callSid, account: account.name, metadata: {} },
      { ...result, changedAfter: null, observedAt: new Date(), seenAt: askedAt },
    );
  }
  return sendAnswer(reply, answer);
}

/** What the archive knows. null also where Postgres is away or too slow: then PolyAI is asked, as without us. */
async function lastAnswer(
  reader: DropInRoutesOptions['reader'],
  callSid: string,
  log: FastifyBaseLogger,
): Promise<LastAnswer | null> {
  const answer = reader.readLastAnswer(callSid).catch((error: unknown) => {
    // That Postgres is away is told once, by its health.
    log.debug({ err: error, callSid }, 'the archive does not answer: asking PolyAI');
    return null;
  });
  return (await within(ARCHIVE_PATIENCE_MS, answer)) ? answer : null;
}

function sendKept(reply: FastifyReply, body: string, observedAt: Date): FastifyReply {
  const age = Math.max(0, Math.floor((Date.now() - observedAt.getTime()) / 1000));
  return (
    reply
      .header('age', age)
      .header('x-polykeep-observed-at', observedAt.toISOString())
      .type('application/json')
      // To a text Fastify would add a charset, which PolyAI does not name; to bytes it adds none.
      .send(Buffer.from(body))
  );
}

async function answerTrigger(
  api: PolyAiApi,
  request: FastifyRequest,
  reply: FastifyReply,
  { accounts, placedCalls }: DropInRoutesOptions,
): Promise<FastifyReply> {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const parsed = parseJson(body.toString('utf8'));
  const account = accountOf(
    request,
    api,
    { ...paramsAndQuery(request), body: parsed },
    accounts.all(),
    'write',
  );
  const metadata = triggerMetadata(request.headers['x-polykeep-metadata'], parsed);
  return placedCalls.during(account.name, passOn());

  async function passOn(): Promise<FastifyReply> {
    const trigger = { path: pathAndQueryOf(request.url), headers: ofBody(request.headers), body };
    const answer = await account.trigger(trigger).catch(notPlaced);
    if (answer.statusCode >= 200 && answer.statusCode < 300)
      await keep(triggeredCallSid(parseJson(answer.body.toString('utf8'))));
    return sendAnswer(reply, answer);
  }

  async function keep(callSid: string | null): Promise<void> {
    if (callSid === null || !isCallSid(callSid)) {
      request.log.error(
        { callSid, account: account.name },
        'a trigger was answered without a callSid to follow',
      );
    } else {
      await placedCalls.keep({ callSid, account: account.name, metadata }, null);
    }
  }
}

function notPlaced(error: unknown): never {
  return error instanceof PolyAiError && error.code === 'unreachable'
    ? refuseFor(error, 502, 'the call was not placed')
    : refuseFor(error, 504, 'it is not known whether the call was placed');
}

/** The URL without a host. A client that takes us for a proxy names a whole URL, and must not choose the host. */
function pathAndQueryOf(url: string): string {
  const { pathname, search } = new URL(url, 'http://polykeep');
  return pathname + search;
}

/** The headers that tell how to read the body, and are passed on with it. */
function ofBody({ 'content-type': type, 'content-encoding': encoding }: IncomingHttpHeaders) {
  return {
    'content-type': type ?? 'application/json',
    ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
  };
}

function refuseFor(error: unknown, status: 502 | 504, what: string): never {
  if (!(error instanceof PolyAiError)) throw error;
  throw problem.polyAiUnavailable(`${what}: ${error.message}`, status);
}

function sendAnswer(reply: FastifyReply, answer: Answer): FastifyReply {
  if (answer.retryAfter !== null) reply.header('retry-after', answer.retryAfter);
  if (answer.contentType !== null) reply.type(answer.contentType);
  return reply.code(answer.statusCode).send(answer.body);
}

function paramsAndQuery({ params, query }: FastifyRequest) {
  return { params: asObject(params), query: asObject(query) };
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
