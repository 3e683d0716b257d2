import { type Static, Type } from 'typebox';
import { CALL_EVENTS } from '../call/event.ts';
import { STORABLE_PATTERN } from '../call/limits.ts';
import { DELIVERY_STATUSES } from '../push/deliveries.ts';
import { Account, CallJson, CallSid, FeedPageJson, Limit, Nullable, Time } from './schemas.ts';
import {
  EXAMPLE_DELIVERY,
  EXAMPLE_REPLAY,
  EXAMPLE_SETTLED_EVENT,
  EXAMPLE_SHOWN_WEBHOOK,
  EXAMPLE_TEST_RESULT,
  EXAMPLE_TRANSITION_EVENT,
  EXAMPLE_WEBHOOK,
  EXAMPLE_WEBHOOK_ID,
  EXAMPLE_WEBHOOK_PATCH,
  EXAMPLE_WEBHOOK_SETTINGS,
} from './webhook-examples.ts';

const MAX_URL = 2_000;
const MAX_DESCRIPTION = 1_000;

const Url = Type.String({
  minLength: 1,
  maxLength: MAX_URL,
  pattern: STORABLE_PATTERN,
  description: 'https, to a public address, or what `WEBHOOKS_ALLOW` names. Without a login and a fragment.',
});
const Events = Type.Array(Type.Enum([...CALL_EVENTS], { type: 'string' }), {
  minItems: 1,
  uniqueItems: true,
  description: 'What it is told of.',
});
const Filter = Type.Unsafe<Record<string, string>>({
  type: 'object',
  propertyNames: { type: 'string', pattern: STORABLE_PATTERN },
  additionalProperties: { type: 'string', pattern: STORABLE_PATTERN },
  description: 'Only calls whose metadata has all of these: at most 8 KB as JSON.',
});
const Description = Nullable(Type.String({ maxLength: MAX_DESCRIPTION, pattern: STORABLE_PATTERN }));
const OfAccount = Nullable(Account);

export const WebhookBody = Type.Object(
  {
    url: Url,
    events: Events,
    account: Type.Optional(OfAccount),
    metadata: Type.Optional(Filter),
    description: Type.Optional(Description),
  },
  { additionalProperties: false, examples: [EXAMPLE_WEBHOOK_SETTINGS] },
);
export type WebhookBody = Static<typeof WebhookBody>;

export const WebhookPatchBody = Type.Object(
  {
    url: Type.Optional(Url),
    events: Type.Optional(Events),
    account: Type.Optional(OfAccount),
    metadata: Type.Optional(Filter),
    description: Type.Optional(Description),
    enabled: Type.Optional(
      Type.Boolean({ description: 'One that was disabled is told again what waits for it.' }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Each field that is given takes the place of the old one.',
    examples: [EXAMPLE_WEBHOOK_PATCH],
  },
);
export type WebhookPatchBody = Static<typeof WebhookPatchBody>;

export const WebhookJson = Type.Object(
  {
    id: Type.String(),
    url: Type.String(),
    events: Type.Array(Type.String()),
    account: Nullable(Type.String()),
    metadata: Type.Record(Type.String(), Type.String()),
    description: Nullable(Type.String()),
    enabled: Type.Boolean(),
    disabledReason: Nullable(Type.String()),
    disabledAt: Nullable(Time),
    failingSince: Nullable(Time),
    createdAt: Time,
  },
  {
    description:
      '`failingSince`: the first failed attempt since one succeeded. `disabledReason`: `by request`, `gone` (the ' +
      'receiver answered 410) or `failing` (five days without any success).',
    examples: [EXAMPLE_WEBHOOK],
  },
);
export type WebhookJson = Static<typeof WebhookJson>;

export const ShownWebhookJson = Type.Object(
  { ...WebhookJson.properties, secret: Type.String() },
  {
    description: 'With the secret that its receiver verifies by, which no other answer shows.',
    examples: [EXAMPLE_SHOWN_WEBHOOK],
  },
);

export const WebhookListJson = Type.Object(
  { data: Type.Array(WebhookJson) },
  { description: 'All webhooks, the oldest first.', examples: [{ data: [EXAMPLE_WEBHOOK] }] },
);

export const TestResultJson = Type.Object(
  {
    delivered: Type.Boolean(),
    statusCode: Nullable(Type.Integer()),
    error: Nullable(Type.String()),
    answer: Type.String(),
    ms: Type.Integer(),
  },
  { description: 'What the receiver said: the first KB of it.', examples: [EXAMPLE_TEST_RESULT] },
);

export const ReplayBody = Type.Object(
  { from: Time, to: Type.Optional(Time) },
  {
    additionalProperties: false,
    description: 'What happened from then on, and before `to` (else: now). At most 31 days.',
    examples: [EXAMPLE_REPLAY],
  },
);

export const ReplayJson = Type.Object(
  { deliveries: Type.Integer() },
  { description: 'How many are sent again.', examples: [{ deliveries: 1204 }] },
);

export const DeliveryJson = Type.Object(
  {
    id: Type.String(),
    messageId: Type.String(),
    event: Type.String(),
    callSid: Type.String(),
    occurredAt: Time,
    createdAt: Time,
    status: Type.Enum([...DELIVERY_STATUSES], { type: 'string' }),
    nextAttemptAt: Nullable(Time),
    finishedAt: Nullable(Time),
    attempts: Type.Array(
      Type.Object({
        at: Time,
        ms: Type.Integer(),
        statusCode: Nullable(Type.Integer()),
        error: Nullable(Type.String()),
        answer: Type.String(),
      }),
    ),
  },
  {
    description:
      'An event that a webhook was told, or is to be. `messageId` is what its receiver knows it by.',
    examples: [EXAMPLE_DELIVERY],
  },
);
export type DeliveryJson = Static<typeof DeliveryJson>;

export const DeliveryPageJson = Type.Object(
  { data: Type.Array(DeliveryJson), nextCursor: Nullable(Type.String()) },
  {
    description: 'Newest first. `nextCursor` is null on the last page.',
    examples: [{ data: [EXAMPLE_DELIVERY], nextCursor: null }],
  },
);

export const WebhookParams = Type.Object({
  id: Type.String({
    minLength: 1,
    pattern: STORABLE_PATTERN,
    examples: [EXAMPLE_WEBHOOK_ID],
    description: 'Of the webhook.',
  }),
});

export const DeliveryParams = Type.Object({
  ...WebhookParams.properties,
  deliveryId: Type.String({
    pattern: '^[1-9]\\d{0,17}$',
    examples: ['4711'],
    description: 'Of the delivery.',
  }),
});

export const DeliveryQuery = Type.Object(
  {
    status: Type.Optional(
      Type.Enum([...DELIVERY_STATUSES], { type: 'string', description: 'Only deliveries of this status.' }),
    ),
    callSid: Type.Optional(CallSid),
    limit: Limit,
    cursor: Type.Optional(
      Type.String({ description: 'The `nextCursor` of the page before. Without it the newest come.' }),
    ),
  },
  { additionalProperties: false },
);

/** Of a call that is too long to be told whole: without its transitions. */
const ToldCall = Type.Object({
  ...CallJson.properties,
  metadata: Type.Optional(CallJson.properties.metadata),
  transitions: Type.Optional(CallJson.properties.transitions),
  truncated: Type.Optional(Type.Literal(true)),
});

export const SettledEventJson = Type.Object(
  { type: Type.Literal('call.settled'), timestamp: Time, data: ToldCall },
  {
    description:
      'A call settled: as it was then. Beyond 20 kB it comes without its transitions, and with `truncated`.',
    examples: [EXAMPLE_SETTLED_EVENT],
  },
);

export const TransitionEventJson = Type.Object(
  { type: Type.Literal('call.transition'), timestamp: Time, data: FeedPageJson.properties.data.items },
  { description: 'PolyAI showed another status.', examples: [EXAMPLE_TRANSITION_EVENT] },
);
