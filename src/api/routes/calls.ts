import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { callCursor, type Position } from '../../archive/read/cursors.ts';
import type { ArchiveReader, CallText } from '../../archive/read/reader.ts';
import type { Registered, Registrar } from '../../archive/write/registrar.ts';
import type { Registration } from '../../call/call.ts';
import { filterFields, filterOf, filterOptions } from '../filter.ts';
import { sendJson, writtenAs } from '../json-text.ts';
import { ProblemError, problem } from '../problems.ts';
import {
  BatchBody,
  type BatchResultJson,
  BatchResultJson as BatchResultSchema,
  CallJson,
  CallQuery,
  CallSid,
  callJson,
  Limit,
  PageJson,
  RegistrationBody,
} from '../schemas.ts';
import { checker } from '../validation.ts';
import { HELD_WITHIN_MS, type Waiting } from '../waiting.ts';
import { type AccountNames, readRegistration } from './registration.ts';

export interface CallRoutesOptions {
  registrar: Registrar;
  reader: ArchiveReader;
  waiting: Waiting;
  accounts: AccountNames;
  /** Has the calls followed soon. It never throws: Postgres has them already, so the request has succeeded. */
  followSoon: (callSids: readonly string[]) => void;
}

const Params = Type.Object({ callSid: CallSid });
const ListQuery = Type.Object(
  {
    ...filterFields,
    limit: Limit,
    cursor: Type.Optional(
      Type.String({ description: 'The `nextCursor` of the page before. Without it the newest calls come.' }),
    ),
  },
  filterOptions,
);

export const callRoutes: FastifyPluginCallbackTypebox<CallRoutesOptions> = (app, options, done) => {
  const { registrar, reader, waiting, accounts, followSoon } = options;

  app.post(
    '/v1/calls',
    {
      schema: {
        operationId: 'registerCall',
        summary: 'Register a call',
        description:
          'The call is followed from then on. 201 where it is new, 200 where it was known already: then it gets the ' +
          'metadata keys that it lacks, and is followed again where polykeep had concluded on it (`not_found`, ' +
          '`lost`, `rejected`, `abandoned`). PolyAI’s answer to a trigger can be posted as it is.',
        tags: ['Calls'],
        body: RegistrationBody,
        response: { 200: writtenAs(CallJson), 201: CallJson },
      },
    },
    async (request, reply) => {
      const registration = readRegistration(request.body, accounts);
      const registered = await registrar.register(registration);
      if (registered.kind !== 'existing') followSoon([registration.callSid]);
      if (registered.kind === 'created') return reply.code(201).send(callJson(registered.call));
      return send(reply, await reader.readCall(registration.callSid));
    },
  );

  app.post(
    '/v1/calls/batch',
    {
      schema: {
        operationId: 'registerCalls',
        summary: 'Register up to 10,000 calls',
        tags: ['Calls'],
        body: BatchBody,
        response: { 200: BatchResultSchema },
      },
    },
    async (request) => {
      const items = request.body.calls.map((item) => readItem(item, accounts));
      const valid = items.filter((item) => item.kind === 'valid').map((item) => item.registration);
      const registered = valid.length === 0 ? [] : await registrar.registerAll(valid);
      followSoon(
        valid.filter((_, index) => registered[index]?.kind !== 'existing').map(({ callSid }) => callSid),
      );
      return { results: results(items, registered) };
    },
  );

  app.get(
    '/v1/calls/:callSid',
    {
      handlerTimeout: HELD_WITHIN_MS,
      schema: {
        operationId: 'getCall',
        summary: 'Read a call',
        description: 'With `wait`, as soon as the call is settled, or as it is after so many seconds.',
        tags: ['Calls'],
        params: Params,
        querystring: CallQuery,
        response: { 200: writtenAs(CallJson) },
        problems: ['call_not_found'],
      },
    },
    async ({ params: { callSid }, query: { wait } }, reply) =>
      send(reply, await (wait === 0 ? reader.readCall(callSid) : readSettled(callSid, wait, reply))),
  );

  app.get(
    '/v1/calls',
    {
      schema: {
        operationId: 'listCalls',
        summary: 'List calls, newest first',
        tags: ['Calls'],
        querystring: ListQuery,
        response: { 200: writtenAs(PageJson) },
      },
    },
    async ({ query }, reply) => {
      const { json, next } = await reader.listCalls(filterOf(query), query.limit, readCursor(query.cursor));
      const nextCursor = next === null ? null : callCursor.encode(next);
      return sendJson(reply, `{"data":[${json}],"nextCursor":${JSON.stringify(nextCursor)}}`);
    },
  );

  /** The call when it is settled, or as it is after `seconds`. */
  async function readSettled(
    callSid: string,
    seconds: number,
    reply: FastifyReply,
  ): Promise<CallText | null> {
    using hold = waiting.hold(reply, seconds * 1000);
    // The wait begins before the call is read, so that an end in between is not missed.
    const settled = waiting.settled(callSid, hold.signal);
    const call = await reader.readCallBatched(callSid);
    if (call === null || call.isSettled) return call;
    await settled;
    return hold.clientIsGone ? call : reader.readCallBatched(callSid);
  }

  done();
};

function send(reply: FastifyReply, call: CallText | null): FastifyReply {
  if (call === null) throw problem.callNotFound();
  return sendJson(reply, call.json);
}

type Item =
  | { kind: 'valid'; registration: Registration }
  | { kind: 'invalid'; callSid: string | null; error: string };

const checkItem = checker<RegistrationBody>(RegistrationBody, 'call');

/** One item of a batch. A bad one is told of, and keeps none of the others out. */
function readItem(item: unknown, accounts: AccountNames): Item {
  try {
    return { kind: 'valid', registration: readRegistration(checkItem(item), accounts) };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return { kind: 'invalid', callSid: callSidIn(item), error: error.message };
  }
}

function callSidIn(item: unknown): string | null {
  if (typeof item !== 'object' || item === null) return null;
  const named = 'callSid' in item ? item.callSid : 'call_sid' in item ? item.call_sid : null;
  return typeof named === 'string' ? named : null;
}

function results(items: readonly Item[], registered: readonly Registered[]): BatchResultJson['results'] {
  let next = 0;
  return items.map((item) => {
    if (item.kind === 'invalid') return { callSid: item.callSid, result: 'invalid', error: item.error };
    const result = registered[next++]?.kind ?? 'existing';
    return { callSid: item.registration.callSid, result };
  });
}

function readCursor(cursor: string | undefined): Position | null {
  if (cursor === undefined) return null;
  const position = callCursor.decode(cursor);
  if (position === null) throw problem.invalidField('cursor', 'is not a cursor of this API');
  return position;
}
