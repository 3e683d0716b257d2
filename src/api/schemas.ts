import { type Static, Type } from 'typebox';
import { type Call, OUTCOMES, type Transition } from '../archive/call.ts';

/** JSON of the API: validation, serialisation and types from one source. */

export const MAX_BATCH = 10_000;
export const MAX_PAGE = 1_000;

// Neither control characters nor lone surrogates; nor `.` and `..`, which every HTTP client takes out of a path.
export const CallSid = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^(?!\\.{1,2}$)[^\\p{Cc}\\p{Cs}]+$',
});

// As Postgres can keep it: without NUL and lone surrogates.
export const STORABLE = '^[^\\u0000\\p{Cs}]*$';
const Metadata = Type.Object(
  {},
  {
    propertyNames: { type: 'string', pattern: STORABLE },
    additionalProperties: Type.String({ pattern: STORABLE }),
  },
);

/** Other fields are let through and ignored, so that PolyAI's answer to a trigger can be posted as it is. */
export const RegistrationBody = Type.Object({
  callSid: Type.Optional(CallSid),
  call_sid: Type.Optional(CallSid),
  account: Type.Optional(Type.String()),
  metadata: Type.Optional(Metadata),
});
export type RegistrationBody = Static<typeof RegistrationBody>;

export const BatchBody = Type.Object({ calls: Type.Array(Type.Unknown(), { maxItems: MAX_BATCH }) });

export const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) =>
  Type.Union([type, Type.Null()]);
export const Time = Type.String({ format: 'date-time' });

export const TransitionJson = Type.Object({
  seq: Type.Integer(),
  status: Type.String(),
  reason: Nullable(Type.String()),
  changedAfter: Nullable(Time),
  observedAt: Time,
  lastUpdated: Nullable(Time),
});

export type TransitionJson = Static<typeof TransitionJson>;

export const CallJson = Type.Object({
  callSid: Type.String(),
  account: Type.String(),
  status: Nullable(Type.String()),
  outcome: Nullable(Type.Enum([...OUTCOMES])),
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
});
export type CallJson = Static<typeof CallJson>;

export const BatchResultJson = Type.Object({
  results: Type.Array(
    Type.Object({
      callSid: Nullable(Type.String()),
      result: Type.Enum(['created', 'existing', 'invalid']),
      error: Type.Optional(Type.String()),
    }),
  ),
});
export type BatchResultJson = Static<typeof BatchResultJson>;

export const PageJson = Type.Object({ data: Type.Array(CallJson), nextCursor: Nullable(Type.String()) });

/** Seconds. */
const Wait = Type.Integer({ minimum: 0, maximum: 60, default: 0 });

export const CallQuery = Type.Object({ wait: Wait });

export const FeedQuery = Type.Object(
  {
    after: Type.Optional(Type.String()),
    limit: Type.Integer({ minimum: 1, maximum: MAX_PAGE, default: 100 }),
    account: Type.Optional(Type.String({ pattern: STORABLE })),
    wait: Wait,
  },
  { additionalProperties: false },
);

export const FeedPageJson = Type.Object({
  data: Type.Array(
    Type.Object({ callSid: Type.String(), account: Type.String(), ...TransitionJson.properties }),
  ),
  nextCursor: Type.String(),
});
export type FeedPageJson = Static<typeof FeedPageJson>;

export const HealthJson = Type.Object({
  status: Type.Enum(['ok', 'degraded', 'unavailable']),
  parts: Type.Object({
    postgres: Type.Enum(['up', 'down']),
    queue: Type.Enum(['up', 'down']),
    accounts: Type.Record(Type.String(), Type.Enum(['active', 'paused'])),
  }),
});
export type HealthJson = Static<typeof HealthJson>;

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
