import { describe, expect, it } from 'vitest';
import type { FollowedCall, Report } from '../../src/call/call.ts';
import { UNSEEN } from '../../src/call/call.ts';
import { countsAnew } from '../../src/call/contribution.ts';
import { foldReports } from '../../src/call/fold.ts';
import { sightingNow } from '../support/sighting.ts';

const call = (more: Partial<FollowedCall['state']> = {}): FollowedCall => ({
  callSid: 'a',
  account: 'default',
  state: { ...UNSEEN, ...more },
  ageMs: 0,
  silentMs: null,
  polls: 0,
});

const judged = (before: FollowedCall, ...reports: Omit<Report, 'callSid'>[]) =>
  foldReports(
    [before],
    reports.map((report) => ({ callSid: 'a', ...report })),
  ).map(countsAnew);

const conclusion = { outcome: 'lost', at: new Date() } as const;
const LOST = { outcome: 'lost', status: 'queued', settledAt: new Date(), transitionCount: 1 } as const;

describe('a call counts anew', () => {
  it('when it settles, and when that is taken back', () => {
    expect(judged(call(), { sighting: sightingNow('success') })).toEqual([true]);
    expect(judged(call(), { conclusion })).toEqual([true]);
    expect(judged(call(LOST), { sighting: sightingNow('calling') })).toEqual([true]);
    expect(judged(call(LOST), { sighting: sightingNow('calling') }, { conclusion })).toEqual([true]);
  });

  it('when polls of a settled one are told late', () => {
    expect(judged(call(LOST), { polls: 1 })).toEqual([true]);
    expect(judged(call(LOST), { failedPolls: 1 })).toEqual([true]);
  });

  it('not while it is followed, nor where nothing of a settled one is new', () => {
    expect(judged(call(), { sighting: sightingNow('queued'), polls: 3, failedPolls: 1 })).toEqual([false]);
    expect(judged(call(LOST), { lastSeenAt: new Date(), followForMs: 1 })).toEqual([false]);
  });
});
