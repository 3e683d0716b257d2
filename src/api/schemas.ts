import { type Static, type TSchema, Type } from 'typebox';
import { type Call, OUTCOMES, type Outcome, type Transition } from '../call/call.ts';
import { CALL_SID_PATTERN, MAX_CALL_SID_LENGTH, STORABLE_PATTERN } from '../call/limits.ts';
import {
  EXAMPLE_ABOUT,
  EXAMPLE_BATCH,
  EXAMPLE_BATCH_RESULT,
  EXAMPLE_CALL,
  EXAMPLE_CALL_SID,
  EXAMPLE_FEED_PAGE,
  EXAMPLE_HEALTH,
  EXAMPLE_HEALTH_REPORT,
  EXAMPLE_METADATA_PATCH,
  EXAMPLE_PAGE,
  EXAMPLE_REGISTRATION,
} from './examples.ts';

/** JSON of the API: validation, serialisation, types and `openapi.json` from one source. */

const MAX_BATCH = 10_000;
const MAX_PAGE = 1_000;

export const CallSid = Type.String({
  minLength: 1,
  maxLength: MAX_CALL_SID_LENGTH,
  pattern: CALL_SID_PATTERN,
  description: 'PolyAI’s id of the call: letters, digits and `-_.:~`.',
  examples: [EXAMPLE_CALL_SID],
});

const Metadata = Type.Object(
  {},
  {
    propertyNames: { type: 'string', pattern: STORABLE_PATTERN },
    additionalProperties: Type.String({ pattern: STORABLE_PATTERN }),
    description: 'Kept with the call, for filters and statistics: at most 8 KB as JSON.',
  },
);

/** Other fields are let through and ignored, so that PolyAI's answer to a trigger can be posted as it is. */
export const RegistrationBody = Type.Object(
  {
    callSid: Type.Optional(CallSid),
    call_sid: Type.Optional(CallSid),
    account: Type.Optional(
      Type.String({ description: 'A configured account. Without it `default`, or the only one.' }),
    ),
    metadata: Type.Optional(Metadata),
  },
  {
    description:
      '`callSid` or `call_sid` is required. Other fields are refused, but in an answer of PolyAI’s: one with ' +
      '`call_sid` or `status`.',
    examples: [EXAMPLE_REGISTRATION],
  },
);
export type RegistrationBody = Static<typeof RegistrationBody>;

export const BatchBody = Type.Object(
  {
    calls: Type.Array(Type.Unknown(), {
      maxItems: MAX_BATCH,
      description: 'Each as the body of `POST /v1/calls`; one that is not keeps none of the others out.',
    }),
  },
  { examples: [EXAMPLE_BATCH] },
);

/** One schema with two types. Of a union, the serialiser tries each schema on each value: most of a page's time. */
export const Nullable = <T extends TSchema & { type: string }>(schema: T) =>
  Type.Unsafe<Static<T> | null>({ ...schema, type: [schema.type, 'null'] });
export const Time = Type.String({ format: 'date-time' });
export const Account = Type.String({
  pattern: STORABLE_PATTERN,
  description: 'Only what belongs to this account.',
});

export const MetadataPatchBody = Type.Object(
  {
    metadata: Type.Unsafe<Record<string, string | null>>({
      type: 'object',
      propertyNames: { type: 'string', pattern: STORABLE_PATTERN },
      additionalProperties: Nullable(Type.String({ pattern: STORABLE_PATTERN })),
      description: 'What is to change. With all the rest it may be 8 KB as JSON.',
    }),
  },
  { additionalProperties: false, examples: [EXAMPLE_METADATA_PATCH] },
);

export const TransitionJson = Type.Object(
  {
    seq: Type.Integer(),
    status: Type.String(),
    reason: Nullable(Type.String()),
    changedAfter: Nullable(Time),
    observedAt: Time,
    lastUpdated: Nullable(Time),
  },
  {
    description:
      'A status that PolyAI showed. It changed after `changedAfter`, the last poll that saw another, and before ' +
      '`observedAt`, the poll that saw it; `lastUpdated` is PolyAI’s own time, where it gives one.',
  },
);

export type TransitionJson = Static<typeof TransitionJson>;

export const CallJson = Type.Object(
  {
    callSid: Type.String(),
    account: Type.String(),
    status: Nullable(Type.String()),
    outcome: Type.Unsafe<Outcome | null>({ type: ['string', 'null'], enum: [...OUTCOMES, null] }),
    reason: Nullable(Type.String()),
    metadata: Type.Record(Type.String(), Type.String()),
    registeredAt: Time,
    createdAt: Nullable(Time),
    lastUpdated: Nullable(Time),
    firstSeenAt: Nullable(Time),
    lastSeenAt: Nullable(Time),
    settledAt: Nullable(Time),
    polls: Type.Integer(),
    failedPolls: Type.Integer(),
    lastError: Nullable(Type.String()),
    transitions: Type.Array(TransitionJson),
  },
  {
    description:
      'A call with every transition that was seen. `outcome` is null while it is followed; `createdAt` and ' +
      '`lastUpdated` are PolyAI’s own times.',
    examples: [EXAMPLE_CALL],
  },
);
export type CallJson = Static<typeof CallJson>;

export const BatchResultJson = Type.Object(
  {
    results: Type.Array(
      Type.Object({
        callSid: Nullable(Type.String()),
        result: Type.Enum(['created', 'reopened', 'existing', 'invalid']),
        error: Type.Optional(Type.String()),
      }),
    ),
  },
  { description: 'One result for each call, in their order.', examples: [EXAMPLE_BATCH_RESULT] },
);
export type BatchResultJson = Static<typeof BatchResultJson>;

export const PageJson = Type.Object(
  { data: Type.Array(CallJson), nextCursor: Nullable(Type.String()) },
  {
    description:
      'Newest first. `nextCursor` is what to give as `cursor` for the next page; null on the last one.',
    examples: [EXAMPLE_PAGE],
  },
);

export const Limit = Type.Integer({
  minimum: 1,
  maximum: MAX_PAGE,
  default: 100,
  description: 'How many there may be in an answer.',
});

const Wait = Type.Integer({
  minimum: 0,
  maximum: 60,
  default: 0,
  description: 'For how many seconds the request may be held until there is something new to tell.',
});

export const CallQuery = Type.Object({ wait: Wait });

export const FeedQuery = Type.Object(
  {
    after: Type.Optional(
      Type.String({
        description:
          'The `nextCursor` of the page before, or `now`: what comes from now on. Without it the feed begins with the ' +
          'first transition.',
      }),
    ),
    limit: Limit,
    account: Type.Optional(Account),
    wait: Wait,
  },
  { additionalProperties: false },
);

export const FeedHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({
      description: 'Of a stream: the `id` of the last event that came. It goes before `after`.',
    }),
  ),
});

export const FeedPageJson = Type.Object(
  {
    data: Type.Array(
      Type.Object({ callSid: Type.String(), account: Type.String(), ...TransitionJson.properties }),
    ),
    nextCursor: Type.String(),
  },
  {
    description:
      'In the order they were committed in. `nextCursor` is there on every page: ask with it again.',
    examples: [EXAMPLE_FEED_PAGE],
  },
);
export type FeedPageJson = Static<typeof FeedPageJson>;

export const HealthJson = Type.Object(
  {
    status: Type.Enum(['ok', 'degraded', 'unavailable']),
    parts: Type.Object({
      postgres: Type.Enum(['up', 'down']),
      queue: Type.Enum(['up', 'down']),
      accounts: Type.Record(Type.String(), Type.String()),
    }),
  },
  {
    description:
      'The state of each part. An account is `ok`, `limited` (PolyAI’s 429s hold polls up), `failing: ` with what the ' +
      'last poll said, `paused` (PolyAI refuses its token) or `unproven` (PolyAI answers and knows none of its calls), ' +
      'as far as this process has polled. `degraded`: something is wrong that costs no call yet.',
    examples: [EXAMPLE_HEALTH],
  },
);
export type HealthJson = Static<typeof HealthJson>;

const State = Type.Enum(['up', 'down']);

export const HealthReportJson = Type.Object(
  {
    status: Type.Enum(['ok', 'degraded', 'unavailable']),
    checkedAt: Time,
    archive: Type.Object({ state: State }),
    queue: Type.Object({
      state: State,
      isShared: Type.Boolean({ description: 'In Redis, for all processes; else in this process.' }),
      active: Nullable(Type.Integer({ description: 'Calls that some process follows.' })),
      waiting: Nullable(Type.Integer({ description: 'Calls that wait for a process with room.' })),
    }),
    workers: Type.Object({
      count: Nullable(Type.Integer({ description: 'Processes that follow calls.' })),
      followedHere: Type.Integer({ description: 'Calls that this process follows.' }),
    }),
    accounts: Type.Array(
      Type.Object({
        name: Type.String(),
        state: Type.String({
          description: 'As in `/health/ready`, and `unconfigured`: only its calls are left.',
        }),
        detail: Nullable(Type.String({ description: 'What the last poll met, while polls fail.' })),
        api: Nullable(Type.String()),
        requestsPerSecond: Nullable(Type.Number({ description: 'The present limit; null: none is known.' })),
        maxRequestsPerSecond: Nullable(Type.Number({ description: 'As configured.' })),
        waitingPolls: Type.Integer({ description: 'Polls of this process that the limit holds up.' }),
        nextProbeSeconds: Nullable(
          Type.Number({ description: 'While it is paused: until its token is tried.' }),
        ),
        followed: Nullable(Type.Integer({ description: 'Calls that are not settled.' })),
        atRisk: Nullable(
          Type.Integer({
            description:
              'Those of which PolyAI has shown nothing for 30 minutes; it forgets a call in two hours.',
          }),
        ),
        longestSilenceSeconds: Nullable(Type.Number({ description: 'Of any call that is not settled.' })),
      }),
    ),
  },
  {
    description:
      'What `/health/ready` says, with numbers. What is counted in Postgres (`followed`, `atRisk`, ' +
      '`longestSilenceSeconds`) is of all processes, and null until it was counted; how polls go is as far as this ' +
      'process has polled.',
    examples: [EXAMPLE_HEALTH_REPORT],
  },
);
export type HealthReportJson = Static<typeof HealthReportJson>;

export const AboutJson = Type.Object(
  {
    version: Type.String(),
    key: Type.Unsafe<{ name: string; scope: 'read' | 'write' } | null>({
      type: ['object', 'null'],
      properties: { name: { type: 'string' }, scope: { type: 'string', enum: ['read', 'write'] } },
      required: ['name', 'scope'],
      description: 'The key that the request brought; null where there are no keys.',
    }),
    accounts: Type.Array(Type.String({ description: 'That are configured.' })),
    statsBy: Type.Array(Type.String({ description: 'Metadata keys that statistics are kept by.' })),
  },
  { description: 'Who asks, and what may be asked for.', examples: [EXAMPLE_ABOUT] },
);
export type AboutJson = Static<typeof AboutJson>;

export function callJson(call: Call): CallJson {
  // In the order of the schema: an export's lines are those that the API answers.
  return {
    callSid: call.callSid,
    account: call.account,
    status: call.status,
    outcome: call.outcome,
    reason: call.reason,
    metadata: call.metadata,
    registeredAt: call.registeredAt.toISOString(),
    createdAt: iso(call.createdAt),
    lastUpdated: iso(call.lastUpdated),
    firstSeenAt: iso(call.firstSeenAt),
    lastSeenAt: iso(call.lastSeenAt),
    settledAt: iso(call.settledAt),
    polls: call.polls,
    failedPolls: call.failedPolls,
    lastError: call.lastError,
    transitions: call.transitions.map(transitionJson),
  };
}

export function transitionJson(transition: Transition): TransitionJson {
  const { seq, status, reason, changedAfter, observedAt, lastUpdated } = transition;
  return {
    seq,
    status,
    reason,
    changedAfter: iso(changedAfter),
    observedAt: observedAt.toISOString(),
    lastUpdated: iso(lastUpdated),
  };
}

function iso(time: Date | null): string | null {
  return time === null ? null : time.toISOString();
}
