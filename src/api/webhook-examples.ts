import { EXAMPLE_CALL, EXAMPLE_CALL_SID, EXAMPLE_FEED_PAGE } from './examples.ts';

/** Examples of webhooks: one that is told of a campaign's ends, and what it was told. */

export const EXAMPLE_WEBHOOK_ID = 'wh_0b5e1c2d3f4a5b6c7d8e9f0a1b2c3d4e';
export const EXAMPLE_MESSAGE_ID = 'msg_2KWPBgLlAfxdpx2AI54pPJ85f4W';

export const EXAMPLE_WEBHOOK_SETTINGS = {
  url: 'https://example.com/hooks/polykeep',
  events: ['call.settled'],
  account: 'default',
  metadata: { campaign: 'spring' },
  description: 'results for the CRM',
};

export const EXAMPLE_WEBHOOK_PATCH = { events: ['call.settled', 'call.transition'], enabled: true };

export const EXAMPLE_WEBHOOK = {
  id: EXAMPLE_WEBHOOK_ID,
  ...EXAMPLE_WEBHOOK_SETTINGS,
  enabled: true,
  disabledReason: null,
  disabledAt: null,
  failingSince: null,
  createdAt: '2026-03-15T09:58:00.000Z',
};

export const EXAMPLE_SHOWN_WEBHOOK = {
  ...EXAMPLE_WEBHOOK,
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=',
};

export const EXAMPLE_TEST_RESULT = {
  delivered: false,
  statusCode: 401,
  error: 'answered 401',
  answer: 'bad signature',
  ms: 84,
};

export const EXAMPLE_REPLAY = { from: '2026-03-14T00:00:00Z', to: '2026-03-15T00:00:00Z' };

export const EXAMPLE_DELIVERY = {
  id: '4711',
  messageId: EXAMPLE_MESSAGE_ID,
  event: 'call.settled',
  callSid: EXAMPLE_CALL_SID,
  occurredAt: '2026-03-15T10:05:31.904Z',
  createdAt: '2026-03-15T10:05:31.921Z',
  status: 'delivered',
  nextAttemptAt: null,
  finishedAt: '2026-03-15T10:05:37.310Z',
  attempts: [
    {
      at: '2026-03-15T10:05:31.940Z',
      ms: 84,
      statusCode: 500,
      error: 'answered 500',
      answer: 'out of order',
    },
    { at: '2026-03-15T10:05:37.201Z', ms: 61, statusCode: 204, error: null, answer: '' },
  ],
};

export const EXAMPLE_SETTLED_EVENT = {
  type: 'call.settled',
  timestamp: EXAMPLE_CALL.settledAt,
  data: EXAMPLE_CALL,
};

export const EXAMPLE_TRANSITION_EVENT = {
  type: 'call.transition',
  timestamp: EXAMPLE_FEED_PAGE.data[0]?.observedAt ?? '',
  data: EXAMPLE_FEED_PAGE.data[0],
};
