import { describe, expect, it } from 'vitest';
import { check } from '../chaos/check.ts';
import type { CallEvidence, Evidence, ToldEvent } from '../chaos/evidence.ts';
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

/** The chaos suite's verdict, proven on journals and archives made by hand: it must find each thing that can be wrong. */

const kinds = (given: Evidence) => check(given).violations.map(({ kind }) => kind);

/** What is found of one call, with whatever else happened. */
const found = (call: Partial<CallEvidence>, more: Partial<Evidence> = {}) =>
  kinds(evidence({ ...more, calls: [wellFollowed(call)] }));

/** `calling` was shown, and is not stored. */
const withoutCalling = {
  archived: archived({ transitions: [transition(1, 'queued', null, 1), transition(2, 'success', 4, 5)] }),
};

it('a call that was followed as it should be is not complained of', () => {
  expect(check(evidence())).toEqual({ violations: [], inDoubt: 0, longestGapMs: 1_000 });
});

describe('lost', () => {
  it.each<[string, CallEvidence['archived']]>([
    ['is not in the archive', null],
    ['is not settled', archived({ outcome: null, settledAt: null })],
    ['has another status', archived({ status: 'calling' })],
    ['has another outcome', archived({ outcome: 'failure' })],
    ['has another reason', archived({ reason: 'goal reached' })],
  ])('a call that %s', (_, told) => {
    expect(found({ archived: told })).toEqual(['lost']);
  });

  it('what ended otherwise at PolyAI', () => {
    const changes = [change(0, 'queued'), change(2.5, 'calling'), change(4.5, 'busy')];
    expect(found({ changes })).toContain('lost');
  });
});

describe('missing', () => {
  it('a status that a whole answer showed', () => {
    expect(found(withoutCalling)).toEqual(['missing']);
  });

  it('not one that was shown only after a later one', () => {
    const polls = [poll(1, 'queued'), poll(5, 'success'), poll(6, 'calling')];
    expect(found({ ...withoutCalling, polls })).toEqual([]);
  });

  it('not one whose answer did not get through', () => {
    const polls = [poll(1, 'queued'), poll(3, null), poll(4, null), poll(5, 'success')];
    expect(found({ ...withoutCalling, polls })).toEqual([]);
  });

  it.each([
    ['a worker was killed soon after', [incident('worker killed', 4.5)]],
    [
      'a worker was killed while Postgres was away',
      [incident('postgres away', 2, 20), incident('worker killed', 15)],
    ],
    [
      'a worker was stopped while Postgres was away',
      [incident('postgres away', 2, 20), incident('worker stopped', 15)],
    ],
    ['a worker was paused', [incident('worker paused', 2, 40)]],
  ])('in doubt only, where %s', (_, incidents) => {
    const given = evidence({ incidents, calls: [wellFollowed(withoutCalling)] });
    expect(check(given)).toMatchObject({ violations: [], inDoubt: 1 });
  });

  it.each([
    ['a worker was killed long after', [incident('worker killed', 8)]],
    ['a worker was killed before', [incident('worker killed', 2.5)]],
    ['Postgres was away, and all workers lived', [incident('postgres away', 2, 20)]],
    ['a worker was stopped', [incident('worker stopped', 4.5)]],
    ['Redis was flushed', [incident('redis flushed', 3)]],
  ])('without doubt, where %s', (_, incidents) => {
    expect(found(withoutCalling, { incidents })).toEqual(['missing']);
  });

  it('in doubt where one answer is, but not where another is without doubt', () => {
    const polls = [poll(1, 'queued'), poll(3, 'calling'), poll(5, 'success')];
    const incidents = [incident('worker killed', 5.5)];
    expect(found({ ...withoutCalling, polls }, { incidents })).toEqual([]);
    expect(
      found(
        { ...withoutCalling, polls: [poll(2.6, 'calling'), ...polls] },
        { incidents: [incident('worker killed', 5.8)] },
      ),
    ).toEqual(['missing']);
    expect(
      found(
        { ...withoutCalling, polls: [poll(2.6, 'calling'), ...polls] },
        { incidents: [incident('worker killed', 7)] },
      ),
    ).toEqual(['missing']);
  });

  it('an end is never in doubt: it is shown again', () => {
    const told = archived({
      transitions: [transition(1, 'queued', null, 1), transition(2, 'calling', 2, 3)],
    });
    expect(found({ archived: told }, { incidents: [incident('worker killed', 5.5)] })).toEqual(['missing']);
  });
});

describe('duplicates and disorder', () => {
  it('a status that is stored twice', () => {
    const transitions = [
      transition(1, 'queued', null, 1),
      transition(2, 'calling', 2, 3),
      transition(3, 'calling', 2, 4),
      transition(4, 'success', 4, 5),
    ];
    expect(found({ archived: archived({ transitions }) })).toEqual(['duplicate']);
  });

  it('a status that is stored after a later one', () => {
    const transitions = [
      transition(1, 'calling', null, 3),
      transition(2, 'queued', null, 4),
      transition(3, 'success', 4, 5),
    ];
    expect(found({ archived: archived({ transitions }) })).toEqual(['disorder']);
  });

  it('numbers with a gap', () => {
    const transitions = [
      transition(1, 'queued', null, 1),
      transition(2, 'calling', 2, 3),
      transition(4, 'success', 4, 5),
    ];
    expect(found({ archived: archived({ transitions }) })).toEqual(['disorder']);
  });
});

describe('invented', () => {
  const stored = (...middle: ReturnType<typeof transition>[]) =>
    archived({
      transitions: [
        transition(1, 'queued', null, 1),
        ...middle,
        transition(middle.length + 2, 'success', 4, 5),
      ],
    });

  it('a status that was never shown', () => {
    expect(found({ archived: stored(transition(2, 'calling', 2, 3), transition(3, 'busy', 4, 4)) })).toEqual([
      'invented',
    ]);
  });

  it('a status that was shown only later', () => {
    const polls = [poll(1, 'queued'), poll(4, 'calling'), poll(5, 'success')];
    expect(found({ archived: stored(transition(2, 'calling', 2, 3)), polls })).toEqual(['invented']);
  });

  it('a reason that was never shown', () => {
    expect(found({ archived: stored({ ...transition(2, 'calling', 2, 3), reason: 'because' }) })).toEqual([
      'invented',
    ]);
  });

  it('a time of observation before the change', () => {
    const polls = [poll(1, 'queued'), poll(2, 'calling'), poll(5, 'success')];
    expect(found({ archived: stored(transition(2, 'calling', 1, 2)), polls })).toEqual(['invented']);
  });

  it('a time of the last earlier poll after the change, unless a stale answer made it so', () => {
    const told = stored(transition(2, 'calling', 2.7, 3));
    expect(found({ archived: told })).toEqual(['invented']);
    const polls = [poll(2.7, 'queued', { fault: 'stale' }), ...wellFollowed().polls];
    expect(found({ archived: told, polls })).toEqual([]);
  });

  it('a call that nobody registered', () => {
    expect(kinds(evidence({ strangers: ['b'] }))).toEqual(['invented']);
  });
});

describe('polls after the end', () => {
  const polledAlsoAt = (...more: ReturnType<typeof poll>[]) => ({
    polls: [...wellFollowed().polls, ...more],
  });

  it('one more for each worker that there was, and no more', () => {
    expect(found(polledAlsoAt(poll(5.8, 'success'), poll(6.8, 'success')))).toEqual([]);
    expect(found(polledAlsoAt(poll(5.8, 'success'), poll(6.8, 'success'), poll(7.8, 'success')))).toEqual([
      'poll after the end',
    ]);
  });

  it('soon, unless a worker was paused or Postgres away', () => {
    expect(found(polledAlsoAt(poll(18, 'success')))).toEqual(['poll after the end']);
    for (const kind of ['worker paused', 'postgres away'] as const) {
      expect(found(polledAlsoAt(poll(45, 'success')), { incidents: [incident(kind, 4, 40)] })).toEqual([]);
      expect(found(polledAlsoAt(poll(55, 'success')), { incidents: [incident(kind, 4, 40)] })).toEqual([
        'poll after the end',
      ]);
    }
  });

  it('or the rate had to grow back after a burst of 429', () => {
    const burst = { ...incident('polyai', 4, 8), detail: '429 for all' };
    expect(found(polledAlsoAt(poll(65, 'success')), { incidents: [burst] })).toEqual([]);
    expect(found(polledAlsoAt(poll(85, 'success')), { incidents: [burst] })).toEqual(['poll after the end']);
  });
});

describe('gaps', () => {
  // lease * 1.25 + lock + stalled check + sweep + backoff + timeout = 141 s
  const polledOnceAt = (seconds: number) => ({
    changes: [change(0, 'success')],
    polls: [poll(seconds, 'success')],
    archived: archived({
      settledAt: iso(seconds + 0.01),
      transitions: [transition(1, 'success', null, seconds)],
    }),
  });

  it('longer than lease, lock and checks', () => {
    expect(found(polledOnceAt(140))).toEqual([]);
    expect(found(polledOnceAt(142))).toEqual(['gap']);
  });

  it.each([
    ['Postgres was away', [incident('postgres away', 10, 20)]],
    ['Redis was away', [incident('redis away', 10, 20)]],
    ['a worker was paused', [incident('worker paused', 10, 20)]],
    [
      'no worker lived',
      [incident('worker killed', 10, 25, 'worker 0'), incident('worker stopped', 5, 20, 'worker 1')],
    ],
  ])('by as long as %s', (_, incidents) => {
    expect(found(polledOnceAt(150), { incidents })).toEqual([]);
    expect(found(polledOnceAt(152), { incidents })).toEqual(['gap']);
  });

  it('by the half minute after which an account is probed', () => {
    expect(found(polledOnceAt(170), { incidents: [incident('token refused', 10, 13)] })).toEqual([]);
  });

  it('not by the death of one worker of two', () => {
    expect(found(polledOnceAt(142), { incidents: [incident('worker killed', 10, 25, 'worker 0')] })).toEqual([
      'gap',
    ]);
  });

  it('also between two polls', () => {
    const call = wellFollowed(polledOnceAt(151));
    expect(found({ ...call, polls: [poll(1, null), ...call.polls] })).toEqual(['gap']);
  });
});

describe('double polls', () => {
  const polls = [...wellFollowed().polls, poll(3.1, 'calling')];

  it('two within half an interval', () => {
    expect(found({ polls })).toEqual(['double poll']);
  });

  it('not soon after what may have a call followed twice', () => {
    for (const kind of [
      'worker killed',
      'worker paused',
      'redis flushed',
      'redis away',
      'redis cut',
    ] as const) {
      expect(found({ polls }, { incidents: [incident(kind, 0, 2)] })).toEqual([]);
      expect(found({ polls }, { incidents: [incident(kind, -30, -25)] })).toEqual(['double poll']);
    }
    expect(found({ polls }, { incidents: [incident('postgres away', 0, 2)] })).toEqual(['double poll']);
  });

  it('not where the first one failed', () => {
    expect(found({ polls: [...wellFollowed().polls, poll(3.5, null), poll(3.6, 'calling')] })).toEqual([]);
  });
});

describe('blind polls', () => {
  const overSilent = (silentMs: number) => ({
    polls: [
      ...wellFollowed().polls.slice(0, 3),
      poll(4, null, { fault: 'frozen', silentMs }),
      poll(5, 'success'),
    ],
  });

  it('over a connection on which a request had timed out', () => {
    expect(found(overSilent(0))).toEqual([]);
    expect(found(overSilent(4_900))).toEqual([]);
    expect(found(overSilent(5_100))).toEqual(['blind']);
  });

  it('not where the worker was paused, and could not know', () => {
    expect(found(overSilent(40_000), { incidents: [incident('worker paused', 0, 3.9)] })).toEqual([]);
  });
});

describe('promises', () => {
  const lapsed = (seconds: number, forMs: number) => [{ at: at(seconds), lapsed: [{ callSid: 'a', forMs }] }];

  it('a call that nobody has promised to follow for long, unless all was away for half of that time', () => {
    const promises = lapsed(100, 61_000);
    expect(kinds(evidence({ promises }))).toEqual(['overdue']);
    expect(kinds(evidence({ promises, incidents: [incident('redis away', 60, 91)] }))).toEqual([]);
    expect(kinds(evidence({ promises, incidents: [incident('redis away', 60, 89)] }))).toEqual(['overdue']);
    expect(kinds(evidence({ promises, incidents: [incident('redis away', 0, 60)] }))).toEqual(['overdue']);
    expect(kinds(evidence({ promises: lapsed(100, 59_000) }))).toEqual([]);
  });

  it('a call that is followed without a promise', () => {
    expect(kinds(evidence({ promises: lapsed(4.5, 4_500) }))).toEqual(['unpromised']);
    expect(kinds(evidence({ promises: lapsed(4.5, 3_500) }))).toEqual([]);
    expect(kinds(evidence({ promises: lapsed(20, 20_000) }))).toEqual([]);
  });

  it('not where Postgres was away, or two may have followed it within a lease', () => {
    const promises = lapsed(4.5, 4_500);
    for (const [kind, before] of [
      ['postgres away', 10],
      ['postgres cut', 10],
      ['redis flushed', 95],
      ['worker paused', 95],
    ] as const) {
      const ending = (seconds: number) => [incident(kind, 4.5 - seconds - 1, 4.5 - seconds)];
      expect(kinds(evidence({ promises, incidents: ending(before) }))).toEqual([]);
      expect(kinds(evidence({ promises, incidents: ending(before + 10) }))).toEqual(['unpromised']);
    }
  });
});

describe('the cluster', () => {
  it('statistics that are not those of the calls', () => {
    const [group, day] = ['[8,"uk",null,null,null]', '[0,"uk",null,null,null]'];
    const of = (counted: string, quarter: string, inDay: string) => {
      const kept = { quarters: { [group]: quarter }, retired: {}, days: { [day]: inDay } };
      return kinds(evidence({ statistics: { counted: { [group]: counted }, kept } }));
    };
    expect(of('2 calls, 5 ms', '2 calls, 5 ms', '2 calls')).toEqual([]);
    expect(of('2 calls, 5 ms', '2 calls, 6 ms', '2 calls')).toEqual(['miscounted']);
    expect(of('2 calls, 5 ms', '2 calls, 5 ms', '3 calls')).toEqual(['miscounted']);
    expect(of('3 calls, 5 ms', '2 calls, 5 ms', '2 calls')).toEqual(['miscounted']);
  });

  it('what Redis still holds', () => {
    expect(kinds(evidence({ leftInRedis: ['polykeep:calls:a'] }))).toEqual(['left in Redis']);
  });

  it('a SIGTERM that does not end with 0, or not in time', () => {
    const exit = { process: 'worker 0', at: at(1), code: 0, tookMs: 500 };
    expect(kinds(evidence({ exits: [exit] }))).toEqual([]);
    expect(kinds(evidence({ exits: [{ ...exit, code: 1 }] }))).toEqual(['exit']);
    expect(kinds(evidence({ exits: [{ ...exit, code: null }] }))).toEqual(['exit']);
    expect(kinds(evidence({ exits: [{ ...exit, tookMs: 10_500 }] }))).toEqual(['exit']);
  });

  it('a process that ends by itself, unless it cannot start without Postgres', () => {
    const death = { process: 'worker 0', at: at(10), running: false, said: '' };
    const incidents = [incident('postgres away', 5, 9)];
    expect(kinds(evidence({ deaths: [death] }))).toEqual(['death']);
    expect(kinds(evidence({ deaths: [death], incidents }))).toEqual([]);
    expect(kinds(evidence({ deaths: [{ ...death, running: true }], incidents }))).toEqual(['death']);
  });

  it('a registration that is answered neither 2xx nor 503', () => {
    expect(kinds(evidence({ oddAnswers: ['/v1/calls: 500'] }))).toEqual(['odd answer']);
  });
});

describe('what an endpoint was told', () => {
  const call = wellFollowed();
  const event = (type: string, data: object, id: string, seconds = 5): ToldEvent => ({
    id,
    type,
    timestamp: iso(seconds),
    data: { callSid: call.callSid, ...data },
  });
  const transitions = [1, 2, 3].map((seq) => event('call.transition', { seq }, `t${seq}`, seq));
  const { outcome, settledAt, transitions: history } = archived();
  const end = event('call.settled', { outcome, settledAt, transitions: history }, 'end');
  const told = (accepted: ToldEvent[], wrong: string[] = []) =>
    check(evidence({ told: [{ receiver: 'slow', accepted, wrong }] })).violations.map(({ detail }) => detail);

  it('is all of each call in order, and again under the same id', () => {
    const [first, ...more] = transitions;
    expect(told([...transitions, end])).toEqual([]);
    expect(told([...(first ? [first, ...more, first] : []), end, end])).toEqual([]);
  });

  it('that never came, came out of order, unverified, or with another id is complained of', () => {
    const [one, two, three] = transitions;
    if (one === undefined || two === undefined || three === undefined) throw new Error('no transitions');
    expect(told([one, two, end])).toEqual(['slow receiver: transition 3 never came']);
    expect(told(transitions)).toEqual(['slow receiver: its end (success) never came']);
    expect(told([two, one, three, end])).toEqual([
      'slow receiver: call.transition 1 came after call.transition 2',
    ]);
    expect(told([...transitions, end], ['bad'])).toEqual(['slow receiver: not verified: bad']);
    expect(told([...transitions, { ...three, id: 'other' }, end])).toEqual([
      expect.stringContaining('share or change an id'),
    ]);
    expect(told([one, two, { ...three, id: 't2' }, end])[0]).toContain('share or change an id');
  });
});
