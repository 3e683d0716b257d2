import { feedCursor } from '../archive/read/cursors.ts';

/** Examples for the schemas of the API: of one call, from its trigger to its end. */

export const EXAMPLE_CALL_SID = 'OUT-550e8400-e29b-41d4-a716-446655440000';

const EXAMPLE_TRANSITION = {
  seq: 1,
  status: 'queued',
  reason: null,
  changedAfter: null,
  observedAt: '2026-03-15T10:00:02.117Z',
  lastUpdated: '2026-03-15T10:00:00.000Z',
};

export const EXAMPLE_CALL = {
  callSid: EXAMPLE_CALL_SID,
  account: 'default',
  status: 'success',
  outcome: 'success',
  reason: null,
  metadata: { campaign: 'spring' },
  registeredAt: '2026-03-15T10:00:01.482Z',
  createdAt: '2026-03-15T10:00:00.000Z',
  lastUpdated: '2026-03-15T10:05:30.000Z',
  firstSeenAt: '2026-03-15T10:00:02.117Z',
  lastSeenAt: '2026-03-15T10:05:31.904Z',
  settledAt: '2026-03-15T10:05:31.904Z',
  polls: 94,
  failedPolls: 0,
  lastError: null,
  transitions: [
    EXAMPLE_TRANSITION,
    {
      seq: 2,
      status: 'success',
      reason: null,
      changedAfter: '2026-03-15T10:05:28.311Z',
      observedAt: '2026-03-15T10:05:31.904Z',
      lastUpdated: '2026-03-15T10:05:30.000Z',
    },
  ],
};

export const EXAMPLE_PAGE = { data: [EXAMPLE_CALL], nextCursor: null };

export const EXAMPLE_REGISTRATION = {
  callSid: EXAMPLE_CALL_SID,
  account: 'default',
  metadata: { campaign: 'spring' },
};

export const EXAMPLE_METADATA_PATCH = { metadata: { campaign: 'summer', tier: null } };

export const EXAMPLE_BATCH = { calls: [EXAMPLE_REGISTRATION, { call_sid: 'OUT-second' }, { callSid: '' }] };

export const EXAMPLE_BATCH_RESULT = {
  results: [
    { callSid: EXAMPLE_CALL_SID, result: 'existing' },
    { callSid: 'OUT-second', result: 'created' },
    { callSid: '', result: 'invalid', error: 'callSid: must NOT have fewer than 1 characters' },
  ],
};

export const EXAMPLE_FEED_PAGE = {
  data: [{ callSid: EXAMPLE_CALL_SID, account: 'default', ...EXAMPLE_TRANSITION }],
  nextCursor: feedCursor.encode({ xid: '770', callId: '1', seq: EXAMPLE_TRANSITION.seq }),
};

export const EXAMPLE_EVENT_STREAM = `id: ${EXAMPLE_FEED_PAGE.nextCursor}
event: transition
data: ${JSON.stringify(EXAMPLE_FEED_PAGE.data[0])}

`;

export const EXAMPLE_STATS = {
  timezone: 'Europe/London',
  bucket: 'day',
  percentiles: 'within 1 %',
  data: [
    {
      bucket: '2026-03-15T00:00:00.000Z',
      group: null,
      calls: 120,
      outcomes: { success: 90, failure: 24, not_found: 1, lost: 0, rejected: 0, abandoned: 0, none: 5 },
      successRate: 0.789,
      seconds: { queued: { p50: 4.1, p90: 22.5, p99: 61 }, calling: { p50: 38, p90: 140.2, p99: 301.7 } },
    },
  ],
};

export const EXAMPLE_HEALTH = {
  status: 'degraded',
  parts: { postgres: 'up', queue: 'up', accounts: { default: 'ok', uk: 'failing: ENOTFOUND api.uk' } },
};

export const EXAMPLE_HEALTH_REPORT = {
  status: 'degraded',
  checkedAt: '2026-03-15T10:05:32.000Z',
  archive: { state: 'up' },
  queue: { state: 'up', isShared: true, active: 5, waiting: 0 },
  workers: { count: 2, followedHere: 0 },
  accounts: [
    {
      name: 'uk',
      state: 'failing',
      detail: 'ENOTFOUND api.uk',
      api: 'outbound-calling',
      requestsPerSecond: 40,
      maxRequestsPerSecond: 50,
      waitingPolls: 0,
      nextProbeSeconds: null,
      followed: 5,
      atRisk: 0,
      longestSilenceSeconds: 75.2,
    },
  ],
};

export const EXAMPLE_ABOUT = {
  version: '0.1.0',
  key: { name: 'support', scope: 'read' },
  accounts: ['default', 'uk'],
  statsBy: ['campaign'],
};

export const EXAMPLE_METRICS = `# TYPE polykeep_polls_total counter
polykeep_polls_total{account="default",result="status"} 94
`;
