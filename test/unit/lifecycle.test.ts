import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CallState,
  type Conclusion,
  type FollowedCall,
  type Outcome,
  type Report,
  type Sighting,
  UNSEEN,
} from '../../src/call/call.ts';
import { foldReports } from '../../src/call/fold.ts';
import { advance, close, MAX_TRANSITIONS, outcomeOf } from '../../src/call/lifecycle.ts';

const AT = Date.parse('2026-11-24T12:00:00Z');
const seconds = (n: number) => new Date(AT + n * 1000);

function sighting(status: string, more: Partial<Sighting> = {}): Sighting {
  return {
    status,
    reason: null,
    createdAt: null,
    lastUpdated: null,
    payload: { status },
    body: JSON.stringify({ status }),
    changedAfter: null,
    observedAt: seconds(0),
    seenAt: more.observedAt ?? seconds(0),
    ...more,
  };
}

/** The state after sightings, from a call never seen. */
function stateAfter(...sightings: Sighting[]): CallState {
  return sightings.reduce((state, seen) => {
    const result = advance(state, seen);
    return result.kind === 'stale' || result.kind === 'settled' ? state : result.state;
  }, UNSEEN);
}

describe('terminal statuses', () => {
  it.each<[string, Outcome]>([
    ['success', 'success'],
    ['completed', 'success'],
    ['failure', 'failure'],
    ['failed', 'failure'],
    ['no-answer', 'failure'],
    ['busy', 'failure'],
    ['cancelled', 'failure'],
  ])('%s settles a call as %s', (status, outcome) => {
    const at = seconds(7);
    expect(stateAfter(sighting(status, { observedAt: at, reason: 'why' }))).toMatchObject({
      status,
      outcome,
      reason: 'why',
      settledAt: at,
    });
  });

  it.each(['queued', 'calling', 'created', 'ringing', 'in-progress', 'voicemail', 'successful'])(
    '%s does not settle a call',
    (status) => {
      expect(outcomeOf(status)).toBeNull();
      expect(stateAfter(sighting(status))).toMatchObject({ status, outcome: null, settledAt: null });
    },
  );

  it('never change again, whatever is shown later', () => {
    const settled = stateAfter(sighting('failure', { reason: 'busy line' }));
    for (const later of ['success', 'queued', 'failure']) {
      const seen = sighting(later, { reason: 'other', lastUpdated: seconds(99) });
      expect(advance(settled, seen)).toEqual({ kind: 'settled' });
    }
  });

  it('are kept even where their last_updated is older than what was seen: to drop one is to lose it', () => {
    const state = stateAfter(sighting('calling', { lastUpdated: seconds(10) }));
    expect(advance(state, sighting('success', { lastUpdated: seconds(5) })).kind).toBe('transition');
  });
});

describe('stale reads', () => {
  it('are those with a strictly older last_updated, whatever the status', () => {
    const state = stateAfter(sighting('calling', { lastUpdated: seconds(10) }));
    for (const status of ['queued', 'in-progress', 'odd']) {
      expect(advance(state, sighting(status, { lastUpdated: seconds(9) }))).toEqual({ kind: 'stale' });
    }
  });

  it('with times that tell, are not those of a lower rank', () => {
    const state = stateAfter(sighting('calling', { lastUpdated: seconds(10) }));
    expect(advance(state, sighting('queued', { lastUpdated: seconds(11) })).kind).toBe('transition');
  });

  it.each([
    ['on a tie', seconds(10)],
    ['without times', null],
  ])('%s are those of a lower rank', (_, lastUpdated) => {
    const state = stateAfter(sighting('calling', { lastUpdated }));
    expect(advance(state, sighting('queued', { lastUpdated }))).toEqual({ kind: 'stale' });
    expect(advance(state, sighting('in-progress', { lastUpdated })).kind).toBe('transition');
  });

  it('are never unknown statuses without times: they have no rank', () => {
    const state = stateAfter(sighting('calling'), sighting('odd'));
    expect(state.status).toBe('odd');
    expect(advance(state, sighting('queued')).kind).toBe('transition');
  });
});

describe('the same status again', () => {
  it('changes nothing but the times', () => {
    const state = stateAfter(sighting('queued', { lastUpdated: seconds(1) }));
    const result = advance(state, sighting('queued', { lastUpdated: seconds(3), observedAt: seconds(4) }));
    expect(result).toEqual({
      kind: 'unchanged',
      state: { ...state, lastUpdated: seconds(3), lastSeenAt: seconds(4) },
    });
  });

  it('with another reason amends', () => {
    const result = advance(stateAfter(sighting('calling')), sighting('calling', { reason: 'second try' }));
    expect(result).toMatchObject({ kind: 'amendment', state: { status: 'calling', reason: 'second try' } });
  });
});

describe('a conclusion', () => {
  const concluded = (outcome: Conclusion, ...sightings: Sighting[]): CallState => {
    const state = close(stateAfter(...sightings), outcome, seconds(60));
    if (state === null) throw new Error(`not concluded as ${outcome}`);
    return state;
  };

  it.each([
    ['lost', 'calling', 'calling'],
    ['lost', 'calling', 'queued'],
    ['abandoned', 'queued', 'calling'],
  ] as const)('%s after %s is taken back by %s, as a transition', (outcome, before, after) => {
    const state = concluded(outcome, sighting(before, { lastUpdated: seconds(1) }));
    const result = advance(state, sighting(after, { lastUpdated: seconds(0), observedAt: seconds(99) }));
    expect(result).toMatchObject({
      kind: 'transition',
      state: { status: after, outcome: null, settledAt: null, lastSeenAt: seconds(99), transitionCount: 2 },
    });
  });

  it.each(['not_found', 'rejected', 'lost', 'abandoned'] as const)(
    '%s is taken back by an end',
    (outcome) => {
      const result = advance(concluded(outcome), sighting('success', { observedAt: seconds(99) }));
      expect(result).toMatchObject({
        kind: 'transition',
        state: { outcome: 'success', settledAt: seconds(99) },
      });
    },
  );
});

describe('what PolyAI’s clock cannot have shown', () => {
  const year9999 = new Date('9999-12-31T00:00:00Z');

  it('orders nothing: what comes after it is not stale', () => {
    const state = stateAfter(sighting('queued', { lastUpdated: year9999 }));
    expect(state.lastUpdated).toBeNull();
    expect(advance(state, sighting('calling', { lastUpdated: seconds(5) })).kind).toBe('transition');
    expect(
      advance({ ...state, lastUpdated: year9999 }, sighting('calling', { lastUpdated: seconds(5) })).kind,
    ).toBe('transition');
  });

  it('is a time of more than a day ahead of ours, and no less', () => {
    const state = stateAfter(sighting('queued', { lastUpdated: seconds(86_400) }));
    expect(state.lastUpdated).toEqual(seconds(86_400));
  });
});

describe('a status that flips at each poll', () => {
  it('makes so many transitions and no more, and its end is kept all the same', () => {
    const flips = Array.from({ length: 1_000 }, (_, n) => sighting(n % 2 === 0 ? 'queued' : 'odd'));
    const state = stateAfter(...flips);
    expect(state.transitionCount).toBe(MAX_TRANSITIONS);
    const after = advance(
      state,
      sighting(state.status === 'odd' ? 'queued' : 'odd', { observedAt: seconds(9) }),
    );
    expect(after).toMatchObject({
      kind: 'unchanged',
      state: { status: state.status, lastSeenAt: seconds(9) },
    });
    expect(advance(state, sighting('success')).kind).toBe('transition');
  });
});

describe('closing without an end from PolyAI', () => {
  it('keeps what was seen', () => {
    const state = stateAfter(sighting('calling'));
    expect(close(state, 'lost', seconds(60))).toEqual({ ...state, outcome: 'lost', settledAt: seconds(60) });
  });

  it('is refused for a settled call, and for what says that it was never seen once a status was', () => {
    expect(close(stateAfter(sighting('queued')), 'rejected', seconds(1))).toBeNull();
    expect(close(stateAfter(sighting('success')), 'lost', seconds(1))).toBeNull();
    expect(close(stateAfter(sighting('queued')), 'not_found', seconds(1))).toBeNull();
  });
});

describe('any order and repetition of what was seen of one call', () => {
  const ordered = ['created', 'queued', 'calling', 'ringing', 'in-progress'];

  /** A life as PolyAI could show it: ordered statuses, one end, times in whole seconds or none. */
  const lives = fc
    .record({
      statuses: fc.subarray(ordered),
      end: fc.constantFrom('success', 'failure', 'no-answer', 'completed'),
      timed: fc.boolean(),
      gaps: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 6, maxLength: 6 }),
      reason: fc.constantFrom(null, 'call queueing: max timeout limit exceeded'),
    })
    .map(({ statuses, end, timed, gaps, reason }) => {
      let time = 0;
      return [...statuses, end].map((status, index) => {
        time += gaps[index] ?? 0;
        return sighting(status, {
          reason: status === end ? reason : null,
          createdAt: timed ? seconds(0) : null,
          lastUpdated: timed ? seconds(time) : null,
        });
      });
    });

  const shuffled = lives.chain((life) =>
    fc.record({
      life: fc.constant(life),
      // Every sighting at least once, some several times, in any order.
      reads: fc
        .tuple(
          fc.shuffledSubarray(life, { minLength: life.length }),
          fc.array(fc.constantFrom(...life), { maxLength: 12 }),
        )
        .chain(([all, again]) =>
          fc.shuffledSubarray([...all, ...again], { minLength: all.length + again.length }),
        ),
      batchSizes: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }),
    }),
  );

  it('gives the same settled row, and transitions without gaps or duplicates', () => {
    fc.assert(
      fc.property(shuffled, ({ life, reads, batchSizes }) => {
        const { call, transitions } = record(reads, batchSizes);
        const end = life.at(-1);
        expect(call.state).toMatchObject({
          status: end?.status,
          outcome: outcomeOf(end?.status ?? ''),
          reason: end?.reason ?? null,
          settledAt: end?.observedAt,
        });
        // Each status once, in the order of the life: what came late was stale, what came again was no news.
        const positions = transitions.map(({ status }) => life.findIndex((seen) => seen.status === status));
        expect(positions).toEqual([...positions].sort((a, b) => a - b));
        expect(new Set(positions).size).toBe(positions.length);
        expect(transitions.at(-1)?.status).toBe(end?.status);
      }),
    );
  });

  it('in the order of the life keeps every status', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const { transitions } = record(life, [2]);
        expect(transitions.map(({ status }) => status)).toEqual(life.map(({ status }) => status));
      }),
    );
  });

  /** As the writer does it: reports in batches, each folded onto what the last one left. */
  function record(
    sightings: Sighting[],
    batchSizes: number[],
  ): { call: FollowedCall; transitions: Sighting[] } {
    let call: FollowedCall = {
      callSid: 'a',
      account: 'default',
      state: UNSEEN,
      ageMs: 0,
      silentMs: null,
      polls: 0,
    };
    const transitions: Sighting[] = [];
    const reports: Report[] = sightings.map((seen) => ({ callSid: 'a', sighting: seen, polls: 1 }));
    for (let next = 0, batch = 0; next < reports.length; batch++) {
      const size = batchSizes[batch % batchSizes.length] ?? 1;
      const [folded] = foldReports([call], reports.slice(next, next + size));
      if (folded === undefined) throw new Error('the call is gone');
      call = folded.after;
      transitions.push(...folded.transitions);
      next += size;
    }
    return { call, transitions };
  }
});
