/** What the API answers, as far as the page reads it: docs/api.md has the whole. */

export const CONCLUSIONS = ['not_found', 'lost', 'rejected', 'abandoned'] as const;
export type Conclusion = (typeof CONCLUSIONS)[number];
export type Outcome = 'success' | 'failure' | Conclusion;

export interface Transition {
  seq: number;
  status: string;
  reason: string | null;
  changedAfter: string | null;
  observedAt: string;
  lastUpdated: string | null;
}

export interface Call {
  callSid: string;
  account: string;
  status: string | null;
  outcome: Outcome | null;
  reason: string | null;
  metadata: Record<string, string>;
  registeredAt: string;
  createdAt: string | null;
  lastUpdated: string | null;
  firstSeenAt: string | null;
  lastSeenAt: string | null;
  settledAt: string | null;
  polls: number;
  failedPolls: number;
  lastError: string | null;
  transitions: Transition[];
}

export interface CallPage {
  data: Call[];
  nextCursor: string | null;
}

export interface FeedPage {
  data: unknown[];
  nextCursor: string;
}

export interface About {
  version: string;
  key: { name: string; scope: 'read' | 'write' } | null;
  accounts: string[];
  statsBy: string[];
}

export interface Percentiles {
  p50: number;
  p90: number;
  p99: number;
}

export type Outcomes = Record<Outcome | 'none', number>;

export interface StatsRow {
  bucket: string;
  group: string | null;
  calls: number;
  outcomes: Outcomes;
  seconds: { queued: Percentiles | null; calling: Percentiles | null };
}

export interface Stats {
  timezone: string;
  bucket: string;
  /** Where times are made of sums: `within 1 %`. */
  percentiles?: string;
  data: StatsRow[];
}

export interface AccountHealth {
  name: string;
  state: string;
  detail: string | null;
  api: string | null;
  requestsPerSecond: number | null;
  maxRequestsPerSecond: number | null;
  waitingPolls: number;
  nextProbeSeconds: number | null;
  followed: number | null;
  atRisk: number | null;
  longestSilenceSeconds: number | null;
}

export interface Health {
  status: 'ok' | 'degraded' | 'unavailable';
  checkedAt: string;
  archive: { state: 'up' | 'down' };
  queue: { state: 'up' | 'down'; isShared: boolean; active: number | null; waiting: number | null };
  workers: { count: number | null; followedHere: number };
  accounts: AccountHealth[];
}

export interface Webhook {
  id: string;
  url: string;
  description?: string | null;
  enabled?: boolean;
  disabledReason?: string | null;
}

export interface Delivery {
  id: string;
  event: string;
  status: 'pending' | 'delivered' | 'failed';
  createdAt?: string;
  attempts?: { at?: string; statusCode?: number | null; error?: string | null }[];
}

export interface Listed<T> {
  data: T[];
}
