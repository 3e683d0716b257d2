import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Poster } from '../../push/post.ts';
import type { Secrets } from '../../push/secrets.ts';
import type { Targets } from '../../push/targets.ts';
import { sendTest } from '../../push/tester.ts';
import type { ShownWebhook, Webhooks } from '../../push/webhooks.ts';
import { problem } from '../problems.ts';
import {
  ShownWebhookJson,
  TestResultJson,
  WebhookBody,
  WebhookJson,
  WebhookListJson,
  WebhookParams,
  WebhookPatchBody,
} from '../webhook-schemas.ts';
import type { AccountNames } from './registration.ts';
import { checkWebhook, refused, settingsOf, webhookJson } from './webhook-settings.ts';

export interface WebhookRoutesOptions {
  webhooks: Webhooks;
  targets: Targets;
  poster: Poster;
  /** null where there is no root that they are derived from. */
  secrets: Secrets | null;
  accounts: Pick<AccountNames, 'has'>;
}

export const webhookRoutes: FastifyPluginCallbackTypebox<WebhookRoutesOptions> = (app, options, done) => {
  const { webhooks, targets, poster, secrets, accounts } = options;
  const tags = ['Webhooks'];

  app.post(
    '/v1/webhooks',
    {
      schema: {
        operationId: 'createWebhook',
        summary: 'Have an endpoint told of events',
        description:
          'Its secret is shown in this answer alone. At most 50 for one account, and 50 for all accounts.',
        tags,
        body: WebhookBody,
        response: { 201: ShownWebhookJson },
        problems: ['webhooks_not_configured'],
      },
    },
    async ({ body }, reply) => {
      await checkWebhook(body, { targets, accounts });
      const shown = await webhooks.create(settingsOf(body)).catch(refused);
      return reply.code(201).send(shownJson(shown));
    },
  );

  app.get(
    '/v1/webhooks',
    {
      schema: {
        operationId: 'listWebhooks',
        summary: 'List webhooks',
        tags,
        response: { 200: WebhookListJson },
      },
    },
    async () => ({ data: (await webhooks.list()).map(webhookJson) }),
  );

  app.get(
    '/v1/webhooks/:id',
    {
      schema: {
        operationId: 'getWebhook',
        summary: 'Read a webhook',
        tags,
        params: WebhookParams,
        response: { 200: WebhookJson },
        problems: ['webhook_not_found'],
      },
    },
    async ({ params: { id } }) => webhookJson(found(await webhooks.read(id))),
  );

  app.patch(
    '/v1/webhooks/:id',
    {
      schema: {
        operationId: 'changeWebhook',
        summary: 'Change a webhook, disable it, enable it again',
        tags,
        params: WebhookParams,
        body: WebhookPatchBody,
        response: { 200: WebhookJson },
        problems: ['webhook_not_found'],
      },
    },
    async ({ params: { id }, body }) => {
      await checkWebhook(body, { targets, accounts });
      return webhookJson(found(await webhooks.change(id, body).catch(refused)));
    },
  );

  app.delete(
    '/v1/webhooks/:id',
    {
      schema: {
        operationId: 'removeWebhook',
        summary: 'Remove a webhook',
        description: 'What waits for it is not sent any more.',
        tags,
        params: WebhookParams,
        response: { 204: Type.Null({ description: 'The webhook is gone.' }) },
        problems: ['webhook_not_found'],
      },
    },
    async ({ params: { id } }, reply) => {
      if (!(await webhooks.remove(id))) throw problem.webhookNotFound();
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/v1/webhooks/:id/rotate',
    {
      schema: {
        operationId: 'rotateWebhookSecret',
        summary: 'Make a new secret',
        description: 'It is shown in this answer alone. For 24 hours the one before signs too.',
        tags,
        params: WebhookParams,
        response: { 200: ShownWebhookJson },
        problems: ['webhook_not_found', 'webhooks_not_configured'],
      },
    },
    async ({ params: { id } }) => shownJson(found(await webhooks.rotate(id).catch(refused))),
  );

  app.post(
    '/v1/webhooks/:id/test',
    {
      schema: {
        operationId: 'testWebhook',
        summary: 'Send `webhook.test` now',
        description: 'Once, also where it is disabled, and answers with what the receiver said.',
        tags,
        params: WebhookParams,
        response: { 200: TestResultJson },
        problems: ['webhook_not_found', 'webhooks_not_configured'],
      },
    },
    async ({ params: { id } }) => {
      const webhook = found(await webhooks.signer(id));
      if (secrets === null || !secrets.isOurs(webhook)) throw problem.webhooksNotConfigured();
      const { result, statusCode, error, text: answer, ms } = await sendTest(webhook, { poster, secrets });
      return { delivered: result === 'success', statusCode, error, answer, ms };
    },
  );

  done();
};

function shownJson({ webhook, secret }: ShownWebhook) {
  return { ...webhookJson(webhook), secret };
}

function found<Found>(value: Found | null): Found {
  if (value === null) throw problem.webhookNotFound();
  return value;
}
