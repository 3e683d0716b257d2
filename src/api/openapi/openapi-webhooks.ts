import type { TSchema } from 'typebox';
import { EXAMPLE_MESSAGE_ID, EXAMPLE_SETTLED_EVENT, EXAMPLE_TRANSITION_EVENT } from '../webhook-examples.ts';
import { SettledEventJson, TransitionEventJson } from '../webhook-schemas.ts';
import { withNames } from './openapi-operation.ts';

const HEADERS = [
  ['webhook-id', 'Of the event: the same at each attempt, and when it is sent again.', EXAMPLE_MESSAGE_ID],
  ['webhook-timestamp', 'Of the attempt, in seconds since 1970.', '1773569131'],
  [
    'webhook-signature',
    'One or more, with a space between: `v1,` and base64 of the HMAC-SHA256 of `id.timestamp.body`.',
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  ],
] as const;

/** What polykeep asks of others: the requests to webhooks, each with the headers of Standard Webhooks. */
export const webhookOperations = {
  'call.settled': told('callSettled', 'A call settled', SettledEventJson, EXAMPLE_SETTLED_EVENT),
  'call.transition': told(
    'callTransition',
    'PolyAI showed another status of a call',
    TransitionEventJson,
    EXAMPLE_TRANSITION_EVENT,
  ),
};

function told(operationId: string, summary: string, schema: TSchema, example: object) {
  return {
    post: {
      operationId,
      summary,
      tags: ['Webhooks'],
      security: [],
      parameters: HEADERS.map(([name, description, value]) => ({
        name,
        in: 'header',
        required: true,
        description,
        schema: { type: 'string' as const },
        example: value,
      })),
      requestBody: {
        required: true,
        content: { 'application/json': { schema: Object(withNames(schema)), example } },
      },
      responses: {
        '2XX': { description: 'It was taken. The body is kept with the attempt, its first KB.' },
        '410': { description: 'The receiver wants no more: the webhook is disabled.' },
      },
    },
  };
}
