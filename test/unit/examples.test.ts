import { readFile } from 'node:fs/promises';
import { Value } from 'typebox/value';
import { describe, expect, it } from 'vitest';
import {
  EXAMPLE_BATCH,
  EXAMPLE_BATCH_RESULT,
  EXAMPLE_CALL,
  EXAMPLE_CALL_SID,
  EXAMPLE_FEED_PAGE,
  EXAMPLE_HEALTH,
  EXAMPLE_METADATA_PATCH,
  EXAMPLE_METRICS,
  EXAMPLE_PAGE,
  EXAMPLE_REGISTRATION,
} from '../../src/api/examples.ts';
import { readRegistration } from '../../src/api/routes/registration.ts';
import {
  BatchBody,
  BatchResultJson,
  CallJson,
  FeedPageJson,
  HealthJson,
  MetadataPatchBody,
  PageJson,
  RegistrationBody,
} from '../../src/api/schemas.ts';
import { checker } from '../../src/api/validation.ts';
import {
  EXAMPLE_DELIVERY,
  EXAMPLE_REPLAY,
  EXAMPLE_SETTLED_EVENT,
  EXAMPLE_SHOWN_WEBHOOK,
  EXAMPLE_TEST_RESULT,
  EXAMPLE_TRANSITION_EVENT,
  EXAMPLE_WEBHOOK,
  EXAMPLE_WEBHOOK_PATCH,
  EXAMPLE_WEBHOOK_SETTINGS,
} from '../../src/api/webhook-examples.ts';
import {
  DeliveryJson,
  ReplayBody,
  SettledEventJson,
  ShownWebhookJson,
  TestResultJson,
  TransitionEventJson,
  WebhookBody,
  WebhookJson,
  WebhookPatchBody,
} from '../../src/api/webhook-schemas.ts';
import { feedCursor } from '../../src/archive/read/cursors.ts';
import { isCallSid } from '../../src/call/limits.ts';
import { createMetrics } from '../../src/metrics/all-metrics.ts';

const json = [
  ['a call', CallJson, EXAMPLE_CALL],
  ['a page of calls', PageJson, EXAMPLE_PAGE],
  ['a registration', RegistrationBody, EXAMPLE_REGISTRATION],
  ['a change of metadata', MetadataPatchBody, EXAMPLE_METADATA_PATCH],
  ['a batch', BatchBody, EXAMPLE_BATCH],
  ['the results of a batch', BatchResultJson, EXAMPLE_BATCH_RESULT],
  ['a page of the feed', FeedPageJson, EXAMPLE_FEED_PAGE],
  ['health', HealthJson, EXAMPLE_HEALTH],
  ['a webhook to be made', WebhookBody, EXAMPLE_WEBHOOK_SETTINGS],
  ['a change of a webhook', WebhookPatchBody, EXAMPLE_WEBHOOK_PATCH],
  ['a webhook', WebhookJson, EXAMPLE_WEBHOOK],
  ['a webhook with its secret', ShownWebhookJson, EXAMPLE_SHOWN_WEBHOOK],
  ['a test', TestResultJson, EXAMPLE_TEST_RESULT],
  ['a replay', ReplayBody, EXAMPLE_REPLAY],
  ['a delivery', DeliveryJson, EXAMPLE_DELIVERY],
  ['the event of an end', SettledEventJson, EXAMPLE_SETTLED_EVENT],
  ['the event of a transition', TransitionEventJson, EXAMPLE_TRANSITION_EVENT],
] as const;

describe('the example of', () => {
  it.each(json)('%s has what its schema has, and no more', (_, schema, example) => {
    expect(checker(schema, 'example')(example)).toBe(example);
    expect(Value.Clean(schema, structuredClone(example))).toEqual(example);
  });

  it('a callSid is one', () => {
    expect(isCallSid(EXAMPLE_CALL_SID)).toBe(true);
  });

  it('a registration is one for the account that it names', () => {
    const accounts = { has: (name: string) => name === 'default', fallback: null };
    expect(readRegistration(EXAMPLE_REGISTRATION, accounts)).toEqual(EXAMPLE_REGISTRATION);
  });

  it('a page of the feed goes on behind its last transition', () => {
    const { seq } = EXAMPLE_FEED_PAGE.data.at(-1) ?? {};
    expect(feedCursor.decode(EXAMPLE_FEED_PAGE.nextCursor)).toMatchObject({ seq });
  });

  it('metrics is what Prometheus is told of so many polls', async () => {
    const metrics = createMetrics('serve');
    const polls = Number(EXAMPLE_METRICS.match(/\d+$/m)?.[0]);
    for (let poll = 0; poll < polls; poll++) metrics.polls.polled('default', 'status', 1);
    const { body } = await metrics.text();
    expect(body).toContain(EXAMPLE_METRICS);
  });
});

describe('docs/api.md', () => {
  it('has the cursor of the transition that it shows, and the error of the call that is none', async () => {
    const page = await readFile(new URL('../../docs/api.md', import.meta.url), 'utf8');
    const cursor = /"nextCursor": "(?<text>[\w-]+)"/.exec(page)?.groups?.text ?? '';
    expect(feedCursor.decode(cursor)).toMatchObject({ seq: 1 });
    const error = /"result": "invalid", "error": "(?<text>[^"]+)"/.exec(page)?.groups?.text;
    expect(() => checker(RegistrationBody, 'call')({ callSid: '.' })).toThrow(
      expect.objectContaining({ message: error }),
    );
  });
});
