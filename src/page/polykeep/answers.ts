import type { AnswerOf, Call } from '../../client/types.ts';

/** What the API answers, as `openapi.json` has it: docs/api.md says what it means. */

export const CONCLUSIONS = ['not_found', 'lost', 'rejected', 'abandoned'] as const;
export type Conclusion = (typeof CONCLUSIONS)[number];

export type { Call };
export type Transition = Call['transitions'][number];
export type Outcome = NonNullable<Call['outcome']>;
export type CallPage = AnswerOf<'listCalls'>;
export type FeedPage = AnswerOf<'readTransitions'>;
export type About = AnswerOf<'getAbout'>;

export type Stats = AnswerOf<'getStats'>;
export type StatsRow = Stats['data'][number];
export type Outcomes = StatsRow['outcomes'];

export type Health = AnswerOf<'getHealth'>;
export type AccountHealth = Health['accounts'][number];

export type Webhooks = AnswerOf<'listWebhooks'>;
export type Webhook = Webhooks['data'][number];
export type Deliveries = AnswerOf<'listDeliveries'>;
export type Delivery = Deliveries['data'][number];
