import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { deliveryCursor } from '../../archive/read/cursors.ts';
import { isStorableTime } from '../../call/limits.ts';
import type { Deliveries, Delivery } from '../../push/deliveries.ts';
import type { Span } from '../../push/replays.ts';
import { problem } from '../problems.ts';
import {
  DeliveryJson,
  DeliveryPageJson,
  DeliveryParams,
  DeliveryQuery,
  ReplayBody,
  ReplayJson,
  WebhookParams,
} from '../webhook-schemas.ts';

export interface WebhookDeliveryRoutesOptions {
  deliveries: Deliveries;
  /** Has all of the span sent again, and gives their number; null where there is no such webhook. */
  replay: (webhook: string, span: Span) => Promise<number | null>;
}

const LONGEST_REPLAY_MS = 31 * 24 * 60 * 60_000;

export const webhookDeliveryRoutes: FastifyPluginCallbackTypebox<WebhookDeliveryRoutesOptions> = (
  app,
  { deliveries, replay },
  done,
) => {
  const tags = ['Webhooks'];

  app.get(
    '/v1/webhooks/:id/deliveries',
    {
      schema: {
        operationId: 'listDeliveries',
        summary: 'List what a webhook was told, with each attempt',
        description: 'Kept for 30 days after its delivery, and no longer than its call.',
        tags,
        params: WebhookParams,
        querystring: DeliveryQuery,
        response: { 200: DeliveryPageJson },
        problems: ['webhook_not_found'],
      },
    },
    async ({ params: { id }, query: { status, callSid, limit, cursor } }) => {
      const page = await deliveries.list(id, {
        ...(status === undefined ? {} : { status }),
        callSid: callSid ?? null,
        limit,
        before: readCursor(cursor),
      });
      if (page === null) throw problem.webhookNotFound();
      return {
        data: page.deliveries.map(deliveryJson),
        nextCursor: page.next === null ? null : deliveryCursor.encode(page.next),
      };
    },
  );

  app.post(
    '/v1/webhooks/:id/deliveries/:deliveryId/resend',
    {
      schema: {
        operationId: 'resendDelivery',
        summary: 'Send a delivery again',
        description: 'With the id that it had, and all attempts anew.',
        tags,
        params: DeliveryParams,
        response: { 202: DeliveryJson },
        problems: ['webhook_not_found', 'delivery_not_found'],
      },
    },
    async ({ params: { id, deliveryId } }, reply) => {
      const delivery = await deliveries.resend(id, deliveryId);
      if (delivery === null) throw problem.deliveryNotFound();
      return reply.code(202).send(deliveryJson(delivery));
    },
  );

  app.post(
    '/v1/webhooks/:id/replay',
    {
      schema: {
        operationId: 'replayEvents',
        summary: 'Send all of a span of time again',
        description:
          'All that happened in it to calls that the webhook’s filters match now, also what it was not told at the ' +
          'time. Each with the id that it had at first.',
        tags,
        params: WebhookParams,
        body: ReplayBody,
        response: { 202: ReplayJson },
        problems: ['webhook_not_found'],
      },
    },
    async ({ params: { id }, body }, reply) => {
      const count = await replay(id, spanOf(body));
      if (count === null) throw problem.webhookNotFound();
      return reply.code(202).send({ deliveries: count });
    },
  );

  done();
};

function readCursor(text: string | undefined): string | null {
  if (text === undefined) return null;
  const id = deliveryCursor.decode(text);
  if (id === null) throw problem.invalidField('cursor', 'is not a cursor of this list');
  return id;
}

function spanOf({ from, to }: { from: string; to?: string }): Span {
  const [since, until] = [timeOf('from', from), to === undefined ? new Date() : timeOf('to', to)];
  if (since >= until)
    throw problem.invalidField('from', to === undefined ? 'is not in the past' : 'must be before to');
  if (until.getTime() - since.getTime() > LONGEST_REPLAY_MS) {
    throw problem.invalidField('from', 'must be no more than 31 days before to');
  }
  return { since, until };
}

function timeOf(field: string, text: string): Date {
  const time = new Date(text);
  if (!isStorableTime(time)) throw problem.invalidField(field, 'is beyond the times that can be kept');
  return time;
}

function deliveryJson(delivery: Delivery): DeliveryJson {
  const { occurredAt, createdAt, nextAttemptAt, finishedAt, ...rest } = delivery;
  return {
    ...rest,
    occurredAt: occurredAt.toISOString(),
    createdAt: createdAt.toISOString(),
    nextAttemptAt: nextAttemptAt?.toISOString() ?? null,
    finishedAt: finishedAt?.toISOString() ?? null,
  };
}
