import { expect, it } from 'vitest';
import type { CallState, Observation } from '../../src/call/call.ts';
import { askedBefore, seenBy, sightingOf } from '../../src/call/sighting.ts';

const NOON = new Date('2026-11-24T12:00:00Z');
const unseen: CallState = {
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
const queued: CallState = { ...unseen, status: 'queued', lastSeenAt: NOON };
const observation: Observation = {
  status: 'calling',
  reason: null,
  createdAt: null,
  lastUpdated: null,
  payload: {},
  body: '{}',
};

it.each([
  ['after the last successful poll was asked', queued, NOON.getTime() - 3_000, NOON.getTime() - 3_000],
  [
    'no later than it was seen, where the wall clock was set back',
    queued,
    NOON.getTime() + 1,
    NOON.getTime(),
  ],
  ['at any time, where there was no successful poll', queued, null, null],
  ['at any time, where it is the first status', unseen, NOON.getTime() - 3_000, null],
])('a change happened %s', (_, state, before, changedAfter) => {
  expect(sightingOf(observation, state, before, { observedAt: NOON, seenAt: NOON })).toEqual({
    ...observation,
    changedAfter: changedAfter === null ? null : new Date(changedAfter),
    observedAt: NOON,
    seenAt: NOON,
  });
});

it('the last successful poll was asked no more than a time-out before its answer', () => {
  expect(askedBefore(queued, 10_000)).toBe(NOON.getTime() - 10_000);
  expect(askedBefore(unseen, 10_000)).toBeNull();
});

it('an answer that a stopped process reads late was seen within its time-out', () => {
  expect(seenBy(5_000, 1_000, 10_000)).toBe(5_000);
  expect(seenBy(60_000, 1_000, 10_000)).toBe(11_000);
});
