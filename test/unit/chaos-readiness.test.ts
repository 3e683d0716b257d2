import { describe, expect, it } from 'vitest';
import { check } from '../chaos/check.ts';
import type { Evidence, ReadinessSample } from '../chaos/evidence.ts';
import type { IncidentKind } from '../chaos/incidents.ts';
import { at, evidence, incident, poll, wellFollowed } from '../support/chaos-evidence.ts';

/** What the chaos suite demands of readiness, proven on samples made by hand. */

const kinds = (given: Partial<Evidence>) => check(evidence(given)).violations.map(({ kind }) => kind);

const WELL = { postgres: 'up', queue: 'up', accounts: { default: 'ok' } };
type Parts = typeof WELL;
const ALL_DOWN = { postgres: 'down', queue: 'down', accounts: { default: 'failing: HTTP 502' } };

/** A sample a second for 200 s, not ok in the stretches given, by the parts given; null: no answer then. */
function samples(
  process: string,
  wrong: readonly (readonly [from: number, until: number])[] = [],
  parts: Partial<Parts> | null = { postgres: 'down' },
): ReadinessSample[] {
  return Array.from({ length: 200 }, (_, second) => {
    const isWrong = wrong.some(([from, until]) => second >= from && second < until);
    const answeredAt = at(second) + 5;
    return {
      process,
      at: at(second),
      answeredAt,
      said: '',
      ...(isWrong ? notOk(parts) : { state: 'ok', parts: WELL }),
    };
  });
}

function notOk(parts: Partial<Parts> | null): Pick<ReadinessSample, 'state' | 'parts'> {
  if (parts === null) return { state: 'silent', parts };
  return { state: parts.postgres === 'down' ? 'unavailable' : 'degraded', parts: { ...WELL, ...parts } };
}

it('readiness that follows what is is not complained of', () => {
  const readiness = [...samples('api', [[25, 65]]), ...samples('worker 0', [[20, 45]])];
  expect(kinds({ readiness, incidents: [incident('table locked', 20, 40)] })).toEqual([]);
});

describe('readiness late', () => {
  it.each<[IncidentKind, Partial<Parts>, Partial<Parts>]>([
    ['postgres away', { postgres: 'down' }, { queue: 'down' }],
    ['postgres read-only', { postgres: 'down' }, { queue: 'down' }],
    ['table locked', { postgres: 'down' }, { queue: 'down' }],
    ['redis away', { queue: 'down' }, { postgres: 'down' }],
    ['redis refusing', { queue: 'down' }, { postgres: 'down' }],
  ])('ready in the face of: %s', (kind, right, other) => {
    const found = (readiness: ReadinessSample[]) => kinds({ readiness, incidents: [incident(kind, 20, 50)] });
    expect(found(samples('api'))).toEqual(['readiness late']);
    expect(found(samples('api', [[45, 60]], right))).toEqual(['readiness late']);
    expect(found(samples('api', [[38, 60]], other))).toEqual(['readiness late']);
    expect(found(samples('api', [[38, 60]], right))).toEqual([]);
    expect(found(samples('api', [[38, 60]], null))).toEqual([]);
  });

  it('not where the answer came after the fault', () => {
    const readiness = [...samples('api', [[20, 47]]), ...samples('worker 0', [[20, 47]])].map((sample) =>
      sample.at >= at(47) && sample.at < at(50) ? { ...sample, answeredAt: at(51) } : sample,
    );
    expect(kinds({ readiness, incidents: [incident('table locked', 20, 50)] })).toEqual([]);
  });

  it('ready again while it lasts', () => {
    const incidents = [incident('redis refusing', 20, 60)];
    const readiness = samples('api', [[22, 45]], { queue: 'down' });
    expect(kinds({ readiness, incidents })).toEqual(['readiness late']);
  });

  it('each process on its own', () => {
    const readiness = [...samples('api'), ...samples('worker 0'), ...samples('worker 1', [[25, 60]])];
    const incidents = [incident('postgres read-only', 20, 50)];
    expect(kinds({ readiness, incidents })).toEqual(['readiness late', 'readiness late']);
  });

  it('not of a fault that is over soon, nor of one that work goes on in', () => {
    for (const one of [
      incident('postgres read-only', 20, 40),
      incident('postgres failover', 20, 60),
      incident('connections frozen', 20, 60),
      incident('log unread', 20, 60),
      incident('polyai', 20, 60),
    ]) {
      expect(kinds({ readiness: samples('worker 0'), incidents: [one] })).toEqual([]);
    }
  });

  it('of a gateway, where no worker says it, though they poll', () => {
    const incidents = [incident('gateway', 20, 60, '502')];
    const untold = [...samples('api'), ...samples('worker 0')];
    const found = (ofLast: ReadinessSample[], everyMs = 400) => {
      const polls = Array.from({ length: 40_000 / everyMs }, (_, index) =>
        poll(20 + (index * everyMs) / 1_000, null),
      );
      const call = wellFollowed();
      const calls = [{ ...call, polls: [...call.polls, ...polls], archived: null }];
      const { violations } = check(evidence({ readiness: [...untold, ...ofLast], incidents, calls }));
      return violations.map(({ kind }) => kind).filter((kind) => kind.startsWith('readiness'));
    };
    const failing = { accounts: { default: 'failing: HTTP 502' } };
    expect(found(samples('worker 1'))).toEqual(['readiness late']);
    expect(found(samples('worker 1', [[30, 60]]))).toEqual(['readiness late']);
    expect(found(samples('worker 1', [[30, 60]], failing))).toEqual([]);
    expect(found(samples('worker 1'), 2_000)).toEqual([]);
  });
});

describe('readiness stuck', () => {
  it.each<IncidentKind>(['postgres read-only', 'redis refusing', 'gateway', 'polyai', 'connections frozen'])(
    'not ready half a minute after: %s',
    (kind) => {
      const incidents = [incident(kind, 20, 60)];
      expect(kinds({ readiness: samples('worker 0', [[22, 90]], ALL_DOWN), incidents })).toEqual([]);
      expect(kinds({ readiness: samples('worker 0', [[22, 97]], ALL_DOWN), incidents })).toEqual([
        'readiness stuck',
      ]);
    },
  );

  it('not ready without a cause', () => {
    expect(kinds({ readiness: samples('worker 0', [[50, 70]]) })).toEqual(['readiness stuck']);
    expect(kinds({ readiness: samples('worker 0', [[50, 70]], null) })).toEqual(['readiness stuck']);
    expect(kinds({ readiness: samples('worker 0', [[50, 52]], null) })).toEqual([]);
  });

  it('not where PolyAI denies calls of the past indeed, and for so long', () => {
    const denies = { accounts: { default: 'failing: PolyAI denies calls that it has shown' } };
    const stuck = (from: number, until: number, parts: Partial<Parts> = denies, forgotten = 40) => {
      const polls = [45, 50, 55].map((second) => poll(second, null, { httpStatus: 404 }));
      const calls = [{ ...wellFollowed(), polls, forgottenAt: at(forgotten), archived: null }];
      const { violations } = check(
        evidence({ readiness: samples('worker 0', [[from, until]], parts), calls }),
      );
      return violations.filter(({ kind }) => kind === 'readiness stuck').length;
    };
    expect(stuck(50, 74)).toBe(0);
    expect(stuck(50, 85)).toBe(1);
    expect(stuck(50, 74, denies, 60)).toBe(1);
    expect(stuck(50, 74, { ...denies, queue: 'down' })).toBe(1);
    expect(stuck(50, 74, { accounts: { default: 'failing: HTTP 502' } })).toBe(1);
  });

  it('by what struck another process, or by a log that nobody reads', () => {
    const readiness = samples('worker 0', [[20, 40]]);
    expect(kinds({ readiness, incidents: [incident('worker paused', 20, 40, 'worker 0')] })).toEqual([]);
    for (const one of [
      incident('worker paused', 20, 40, 'worker 1'),
      incident('api killed', 20, 40, 'api'),
      incident('log unread', 20, 40, 'worker 0'),
    ]) {
      expect(kinds({ readiness, incidents: [one] })).toEqual(['readiness stuck']);
    }
  });

  it('after a refused token only when the account was to be probed again', () => {
    const incidents = [incident('token refused', 20, 23)];
    expect(
      kinds({ readiness: samples('worker 0', [[20, 80]], { accounts: { default: 'paused' } }), incidents }),
    ).toEqual([]);
    expect(
      kinds({ readiness: samples('worker 0', [[20, 90]], { accounts: { default: 'paused' } }), incidents }),
    ).toEqual(['readiness stuck']);
  });
});
