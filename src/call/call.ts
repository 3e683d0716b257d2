/** What is known of a call, and what can happen to it. It imports nothing. */

/** Ends that polykeep concluded on, because PolyAI showed none. They are taken back where PolyAI shows the call again. */
export const CONCLUSIONS = ['not_found', 'lost', 'rejected', 'abandoned'] as const;
export type Conclusion = (typeof CONCLUSIONS)[number];

/** How a call settled: as PolyAI showed it, which is final, or by a conclusion. */
export const OUTCOMES = ['success', 'failure', ...CONCLUSIONS] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** The numbers that the archive keeps outcomes by: one that was given out keeps its meaning. */
export const OUTCOME_CODES: Readonly<Record<Outcome, number>> = {
  success: 1,
  failure: 2,
  not_found: 3,
  lost: 4,
  rejected: 5,
  abandoned: 6,
};

export type Metadata = Record<string, string>;

export interface Registration {
  callSid: string;
  account: string;
  metadata: Metadata;
}

/** What PolyAI's body says of a call. */
export interface Observation {
  /** Trimmed and lower-cased. */
  status: string;
  /** null where PolyAI gave none, or an empty one. */
  reason: string | null;
  createdAt: Date | null;
  lastUpdated: Date | null;
  /** The whole body, as Postgres can keep it. */
  payload: unknown;
  /** The text that `payload` was read from. */
  body: string;
}

/** An observation at its time. */
export interface Sighting extends Observation {
  /** When the last successful poll before this one was asked; null for a first one. */
  changedAfter: Date | null;
  /** When its answer was read. */
  observedAt: Date;
  /** The same, but no later than a time-out after it was asked for: a process that was stopped reads an answer late. */
  seenAt: Date;
}

/** The part of a call's row that a sighting can change. */
export interface CallState {
  status: string | null;
  outcome: Outcome | null;
  reason: string | null;
  createdAt: Date | null;
  lastUpdated: Date | null;
  firstSeenAt: Date | null;
  lastSeenAt: Date | null;
  settledAt: Date | null;
  /** How many transitions are kept. */
  transitionCount: number;
}

/** The state of a call of which PolyAI has shown nothing yet. */
export const UNSEEN: Readonly<CallState> = {
  status: null,
  outcome: null,
  reason: null,
  createdAt: null,
  lastUpdated: null,
  firstSeenAt: null,
  lastSeenAt: null,
  settledAt: null,
  transitionCount: 0,
};

/** What a sighting means for a call: `lifecycle.ts` decides it, the writer carries it out. */
export type Advance =
  | { kind: 'transition'; state: CallState }
  | { kind: 'amendment'; state: CallState }
  | { kind: 'unchanged'; state: CallState }
  | { kind: 'stale' }
  | { kind: 'settled' };

/** What a follower has to say of its call: any part may be missing. */
export interface Report {
  callSid: string;
  sighting?: Sighting;
  /** Settles the call without a status from PolyAI. */
  conclusion?: { outcome: Conclusion; at: Date };
  /** Newest successful poll, where it brought nothing new. */
  lastSeenAt?: Date;
  /** What that poll was answered with. */
  lastBody?: string;
  /** Polls since the last report. */
  polls?: number;
  failedPolls?: number;
  /** undefined: as it was. */
  lastError?: string | null;
  /** Promise to follow for so many milliseconds from now. */
  followForMs?: number;
}

/** A call's row as a follower needs it. */
export interface FollowedCall {
  callSid: string;
  account: string;
  state: CallState;
  /** Milliseconds since the registration that it is followed for, by Postgres' clock. */
  ageMs: number;
  /** Milliseconds since PolyAI last showed a status, by Postgres' clock; null where it never has. */
  silentMs: number | null;
  /** Before this report. */
  polls: number;
}

/** PolyAI's own last word on a call. */
export interface LastAnswer {
  account: string;
  /** The body as it came; null while PolyAI has shown nothing. */
  body: string | null;
  observedAt: Date | null;
}

export interface Transition {
  seq: number;
  status: string;
  reason: string | null;
  changedAfter: Date | null;
  observedAt: Date;
  lastUpdated: Date | null;
}

/** A call with its whole history, as the API answers it. */
export interface Call extends Omit<CallState, 'transitionCount'> {
  callSid: string;
  account: string;
  metadata: Metadata;
  registeredAt: Date;
  polls: number;
  failedPolls: number;
  lastError: string | null;
  transitions: Transition[];
}
