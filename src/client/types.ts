import type { components, operations, paths, webhooks } from './openapi.ts';

/** What polykeep answers with, by the names of openapi.json. */
export type Call = components['schemas']['Call'];
export type Problem = components['schemas']['Problem'];

/** Of a route, by its `operationId`. */
export type AnswerOf<Name extends keyof operations> = operations[Name] extends {
  responses: { 200: { content: { 'application/json': infer Answer } } };
}
  ? Answer
  : never;

/** As the feed has it. */
export type FeedTransition = AnswerOf<'readTransitions'>['data'][number];

type BodyOf<Name extends keyof webhooks> = webhooks[Name]['post'] extends {
  requestBody?: { content: { 'application/json': infer Body } };
}
  ? Body
  : never;

/**
 * What a webhook tells: `call.settled`, `call.transition`, or `webhook.test`, which the test route sends. A later polykeep
 * may have others: let them pass.
 */
export type WebhookEvent =
  | BodyOf<'call.settled'>
  | BodyOf<'call.transition'>
  | { type: 'webhook.test'; timestamp: string; data: Record<string, unknown> };

export type { paths };
