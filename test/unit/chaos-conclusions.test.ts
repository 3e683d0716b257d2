import { describe, expect, it } from 'vitest';
import { CONCLUSIONS } from '../../src/call/call.ts';
import { check } from '../chaos/check.ts';
import type { CallEvidence, Evidence } from '../chaos/evidence.ts';
import {
  archived,
  at,
  change,
  evidence,
  incident,
  iso,
  poll,
  transition,
  wellFollowed,
} from '../support/chaos-evidence.ts';

/** When polykeep may conclude that a call has ended, proven on evidence made by hand. */

const kinds = (call: Partial<CallEvidence>, more: Partial<Evidence> = {}) =>
  check(evidence({ ...more, calls: [wellFollowed(call)] })).violations.map(({ kind }) => kind);

/** In progress since 2.5 s; what polykeep tells of it at the end. */
const unended = (outcome: 'lost' | null, settledAt: number | null): Partial<CallEvidence> => ({
  changes: [change(0, 'queued'), change(2.5, 'in-progress')],
  polls: [poll(1, 'queued'), poll(2, 'queued'), poll(3, 'in-progress'), poll(4, null)],
  archived: archived({
    status: 'in-progress',
    outcome,
    settledAt: settledAt === null ? null : iso(settledAt),
    transitions: [transition(1, 'queued', null, 1), transition(2, 'in-progress', 2, 3)],
  }),
});

describe('wrongly concluded', () => {
  it.each(CONCLUSIONS)('%s, of a call that PolyAI knew to the end', (outcome) => {
    expect(kinds({ archived: archived({ outcome }) })).toEqual(['wrongly concluded']);
  });

  it.each(CONCLUSIONS)('%s, and taken back', (outcome) => {
    const conclusions = [{ callSid: 'a', outcome, at: at(4) }];
    expect(kinds({}, { conclusions })).toEqual(['wrongly concluded']);
  });

  it('before PolyAI forgot the call', () => {
    expect(kinds({ ...unended('lost', 40), forgottenAt: at(41) })).toEqual(['wrongly concluded']);
  });

  it('whatever else went wrong', () => {
    const incidents = [incident('gateway', 0, 60, '404'), incident('redis refusing', 0, 60, 'OOM')];
    expect(kinds({ archived: archived({ outcome: 'lost' }) }, { incidents })).toEqual(['wrongly concluded']);
  });

  it('not of a call that PolyAI has forgotten', () => {
    const conclusions = [{ callSid: 'a', outcome: 'lost', at: at(40) }];
    expect(kinds({ ...unended('lost', 40), forgottenAt: at(10) }, { conclusions })).toEqual([]);
  });
});

describe('a call that PolyAI has forgotten', () => {
  it('is lost where it is never settled', () => {
    expect(kinds({ ...unended(null, null), forgottenAt: at(10) })).toEqual(['lost']);
  });

  it('may have shown its last status to a worker that could not keep it', () => {
    const call = unended('lost', 40);
    const unstored = {
      ...call,
      forgottenAt: at(10),
      archived: archived({
        status: 'queued',
        outcome: 'lost',
        settledAt: iso(40),
        transitions: [transition(1, 'queued', null, 1)],
      }),
    };
    const incidents = [incident('postgres read-only', 2, 20), incident('worker killed', 4, 6, 'worker 0')];
    expect(kinds(unstored, { incidents })).toEqual([]);
    expect(kinds(unstored)).toEqual(['missing']);
    expect(kinds({ ...unstored, forgottenAt: null }, { incidents })).toContain('missing');
  });

  it('is lost where another end was made up for it', () => {
    const made = unended(null, null);
    const told = archived({
      status: 'in-progress',
      outcome: 'failure',
      transitions: [transition(1, 'queued', null, 1), transition(2, 'in-progress', 2, 3)],
    });
    expect(kinds({ ...made, archived: told, forgottenAt: at(10) })).toEqual(['lost']);
  });
});
