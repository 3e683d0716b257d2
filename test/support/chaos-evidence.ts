import type { CallJson } from '../../src/api/schemas.ts';
import type { PollEntry } from '../../src/simulator/journal.ts';
import type { Change } from '../../src/simulator/life.ts';
import type { CallEvidence, Evidence } from '../chaos/evidence.ts';
import type { Incident, IncidentKind } from '../chaos/incidents.ts';

/** Journals and archives made by hand. Times are seconds from the start of a run. */

const START = Date.parse('2026-11-24T12:00:00Z');

export const at = (seconds: number) => START + seconds * 1000;
export const iso = (seconds: number) => new Date(at(seconds)).toISOString();

/** A poll that was answered at once, with a status or without. */
export function poll(seconds: number, status: string | null, more: Partial<PollEntry> = {}): PollEntry {
  return {
    at: at(seconds),
    finishedAt: at(seconds) + 5,
    httpStatus: status === null ? 500 : 200,
    shown: status === null ? null : { status, reason: '' },
    fault: null,
    ...more,
  };
}

export function transition(
  seq: number,
  status: string,
  changedAfter: number | null,
  observedAt: number,
): CallJson['transitions'][number] {
  return {
    seq,
    status,
    reason: null,
    changedAfter: changedAfter === null ? null : iso(changedAfter),
    observedAt: new Date(at(observedAt) + 10).toISOString(),
    lastUpdated: null,
  };
}

export function archived(more: Partial<CallJson> = {}): CallJson {
  return {
    callSid: 'a',
    account: 'default',
    status: 'success',
    outcome: 'success',
    reason: null,
    metadata: {},
    registeredAt: iso(0),
    createdAt: null,
    lastUpdated: null,
    firstSeenAt: iso(1),
    lastSeenAt: iso(5),
    settledAt: new Date(at(5) + 10).toISOString(),
    polls: 5,
    failedPolls: 0,
    lastError: null,
    transitions: [
      transition(1, 'queued', null, 1),
      transition(2, 'calling', 2, 3),
      transition(3, 'success', 4, 5),
    ],
    ...more,
  };
}

export function change(seconds: number, status: string): Change {
  return { status, reason: '', at: at(seconds) };
}

/** Queued, calling from 2.5 s, success from 4.5 s; polled each second, and followed as it should be. */
export function wellFollowed(more: Partial<CallEvidence> = {}): CallEvidence {
  return {
    callSid: 'a',
    style: 'mid-2026',
    changes: [change(0, 'queued'), change(2.5, 'calling'), change(4.5, 'success')],
    polls: [poll(1, 'queued'), poll(2, 'queued'), poll(3, 'calling'), poll(4, 'calling'), poll(5, 'success')],
    forgottenAt: null,
    archived: archived(),
    ...more,
  };
}

export function evidence(more: Partial<Evidence> = {}): Evidence {
  return {
    settings: {
      intervalMinMs: 500,
      intervalMaxMs: 1_500,
      pollTimeoutMs: 2_000,
      backoffMaxMs: 4_000,
      leaseMs: 60_000,
      retentionMs: 30_000,
      notFoundGraceMs: 120_000,
      overdueMs: 60_000,
    },
    calls: [wellFollowed()],
    strangers: [],
    incidents: [],
    workers: 2,
    workerProcesses: 2,
    promises: [],
    conclusions: [],
    readiness: [],
    leftInRedis: [],
    statistics: { counted: {}, kept: { quarters: {}, retired: {}, days: {} } },
    exits: [],
    deaths: [],
    oddAnswers: [],
    told: [],
    ...more,
  };
}

export function incident(kind: IncidentKind, from: number, until = from, detail = ''): Incident {
  return { kind, detail, from: at(from), until: at(until) };
}
