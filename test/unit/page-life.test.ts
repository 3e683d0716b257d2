import { describe, expect, it } from 'vitest';
import { lengthOf, lifeOf } from '../../src/page/one-call/life.ts';
import { scaleOf } from '../../src/page/one-call/scale.ts';
import type { Call, Transition } from '../../src/page/polykeep/answers.ts';

const BEGIN = Date.parse('2026-11-24T12:00:00Z');
const at = (seconds: number) => new Date(BEGIN + seconds * 1000).toISOString();

function seen(seq: number, status: string, changedAfter: number | null, observedAt: number): Transition {
  const after = changedAfter === null ? null : at(changedAfter);
  return { seq, status, reason: null, changedAfter: after, observedAt: at(observedAt), lastUpdated: null };
}

function callWith(transitions: Transition[], more: Partial<Call>): Call {
  return {
    callSid: 'OUT-1',
    account: 'default',
    status: transitions.at(-1)?.status ?? null,
    outcome: null,
    reason: null,
    metadata: {},
    registeredAt: at(0),
    createdAt: null,
    lastUpdated: null,
    firstSeenAt: transitions[0]?.observedAt ?? null,
    lastSeenAt: null,
    settledAt: null,
    polls: 1,
    failedPolls: 0,
    lastError: null,
    transitions,
    ...more,
  };
}

const LIFE = [seen(1, 'queued', null, 1), seen(2, 'calling', 4, 7), seen(3, 'success', 20, 24)];

describe('the life of a call', () => {
  it('is sure between two polls that saw the same, and in doubt between two that did not', () => {
    const life = lifeOf(callWith(LIFE, { outcome: 'success', settledAt: at(24), lastSeenAt: at(24) }), BEGIN);
    const spans = life.stays.map(({ began, sure }) => [began, sure]);
    const stretch = (from: number, to: number) => ({ from: BEGIN + from * 1000, to: BEGIN + to * 1000 });
    expect(spans).toEqual([
      [stretch(0, 1), stretch(1, 4)],
      [stretch(4, 7), stretch(7, 20)],
      [stretch(20, 24), null],
    ]);
    expect(life.silence).toBeNull();
    expect(life.stays.map(lengthOf)).toEqual([
      { atLeast: 3_000, atMost: 7_000 },
      { atLeast: 13_000, atMost: 20_000 },
      null,
    ]);
  });

  it('that is followed is not known since the last poll', () => {
    const call = callWith(LIFE.slice(0, 2), { lastSeenAt: at(30) });
    const { silence, whole } = lifeOf(call, BEGIN + 32_000);
    expect(silence).toEqual({ kind: 'followed', from: BEGIN + 30_000, to: BEGIN + 32_000 });
    expect(whole).toEqual({ from: BEGIN, to: BEGIN + 32_000 });
  });

  it('without any sighting is a silence', () => {
    const call = callWith([], { outcome: 'not_found', settledAt: at(120) });
    expect(lifeOf(call, BEGIN)).toMatchObject({ stays: [], silence: { kind: 'concluded', from: BEGIN } });
  });
});

describe('the scale of a timeline', () => {
  it('is even where all is to scale', () => {
    const call = callWith(LIFE, { outcome: 'success', settledAt: at(24), lastSeenAt: at(24) });
    const scale = scaleOf(lifeOf(call, BEGIN));
    expect([0, 6, 24].map((seconds) => scale.at(BEGIN + seconds * 1000))).toEqual([0, 25, 100]);
    expect(scale.brokenAt).toBeNull();
    expect(scale.ticks.map(({ elapsed }) => elapsed / 1000)).toEqual([0, 5, 10, 15, 20]);
  });

  it('leaves the call its room beside a silence of hours, and says where it is broken', () => {
    const call = callWith(LIFE.slice(0, 2), { outcome: 'lost', lastSeenAt: at(30), settledAt: at(7_230) });
    const scale = scaleOf(lifeOf(call, BEGIN));
    expect(scale.at(BEGIN + 30_000)).toBeCloseTo(70);
    expect(scale.at(BEGIN + 7_230_000)).toBeCloseTo(100);
    expect(scale.brokenAt).toBeCloseTo(85);
  });
});
