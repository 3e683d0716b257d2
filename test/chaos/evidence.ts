import type { CallJson } from '../../src/api/schemas.ts';
import type { PollEntry } from '../../src/simulator/journal.ts';
import type { BodyStyle, Change } from '../../src/simulator/life.ts';
import type { ReadRollups, RollupTexts } from '../support/rollup-count.ts';
import type { Incident } from './incidents.ts';

/** All that a run left behind, as plain data: what is held against each other at the end. */
export interface Evidence {
  settings: Settings;
  calls: CallEvidence[];
  /** Calls in the archive that nobody registered. */
  strangers: string[];
  incidents: Incident[];
  workers: number;
  /** Each start of a worker counts. */
  workerProcesses: number;
  promises: PromiseSample[];
  /** Each conclusion that was ever seen in the archive, also one that was taken back. */
  conclusions: ConclusionSample[];
  readiness: ReadinessSample[];
  /** What Redis still held when every call was settled. */
  leftInRedis: string[];
  /** What calls count for at the end: by a count over all of them, and as it is kept. */
  statistics: { counted: RollupTexts; kept: ReadRollups };
  exits: Exit[];
  deaths: Death[];
  /** Answers to registrations that were neither 2xx nor 503. */
  oddAnswers: string[];
  told: ToldEvidence[];
}

/** What one endpoint took. */
export interface ToldEvidence {
  receiver: string;
  /** In the order in which it answered 2xx. */
  accepted: ToldEvent[];
  /** Why requests were none of polykeep's. */
  wrong: string[];
}

export interface ToldEvent {
  id: string;
  type: string;
  timestamp: string;
  data: Readonly<Record<string, unknown>>;
}

/** As the workers are configured, but for the last. */
export interface Settings {
  intervalMinMs: number;
  intervalMaxMs: number;
  pollTimeoutMs: number;
  backoffMaxMs: number;
  leaseMs: number;
  /** How long a call that PolyAI does not know any more is asked for. */
  retentionMs: number;
  notFoundGraceMs: number;
  /** No promise to follow a call may have passed by so much: it would not have been swept. */
  overdueMs: number;
}

export interface CallEvidence {
  callSid: string;
  style: BodyStyle;
  /** What really happened to the call. */
  changes: readonly Change[];
  /** What PolyAI was asked and showed. */
  polls: readonly PollEntry[];
  /** When PolyAI forgot it; null where it knows it to the end of the run. */
  forgottenAt: number | null;
  /** What polykeep tells of it; null where it does not know it. */
  archived: CallJson | null;
}

/** The unsettled calls that nobody promised to follow at that time. */
export interface PromiseSample {
  at: number;
  lapsed: LapsedCall[];
}

export interface LapsedCall {
  callSid: string;
  /** Since the promise has passed. */
  forMs: number;
}

export interface ConclusionSample {
  callSid: string;
  outcome: string;
  at: number;
}

/** What a process answered when it was asked whether it is ready. */
export interface ReadinessSample {
  process: string;
  /** When it was asked. */
  at: number;
  answeredAt: number;
  /** `silent`: no answer, or none that says it. */
  state: 'ok' | 'degraded' | 'unavailable' | 'silent';
  /** Of each part; null where there was no answer. */
  parts:
    | (Readonly<Record<'postgres' | 'queue', string>> & { accounts: Readonly<Record<string, string>> })
    | null;
  /** The whole answer, or why there was none. */
  said: string;
}

/** How a process took a SIGTERM. */
export interface Exit {
  process: string;
  at: number;
  code: number | null;
  tookMs: number;
}

/** A process that ended by itself. */
export interface Death {
  process: string;
  at: number;
  running: boolean;
  said: string;
}
