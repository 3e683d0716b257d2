import { describe, expect, it } from 'vitest';
import { filterOf, readSearch, searchTextOf, withSearch } from '../../src/page/calls/filter.ts';
import { beginOf, questionOf } from '../../src/page/outcomes/question.ts';
import { sumOf } from '../../src/page/outcomes/sums.ts';
import { troublesOf } from '../../src/page/words/troubles.ts';

describe('the search box', () => {
  it.each([
    ['OUT-55', { callSidPrefix: 'OUT-55' }],
    ['  OUT-55 ', { callSidPrefix: 'OUT-55' }],
    ['customer:C-1042', { 'metadata.customer': 'C-1042' }],
    ['a:1 b:2', { 'metadata.a': '1', 'metadata.b': '2' }],
    ['name:"Ann Lee"', { 'metadata.name': 'Ann Lee' }],
    ['url:http://x', { 'metadata.url': 'http://x' }],
    ['', {}],
  ])('reads %s', (text, query) => {
    expect(readSearch(text)).toEqual(query);
  });

  it('keeps the filters beside it, and says what an address asks for', () => {
    const filter = withSearch(new URLSearchParams('outcome=lost&metadata.old=1'), 'customer:C-1');
    expect(filter.toString()).toBe('outcome=lost&metadata.customer=C-1');
    expect(searchTextOf(filter)).toBe('customer:C-1');
    expect(searchTextOf(withSearch(filter, 'name:"Ann Lee"'))).toBe('name:"Ann Lee"');
  });

  it('lets nothing else of an address through', () => {
    const query = new URLSearchParams('outcome=lost&limit=1000000&cursor=x&status=&callSidPrefix=OUT');
    expect(filterOf(query).toString()).toBe('outcome=lost&callSidPrefix=OUT');
  });
});

describe('a period', () => {
  it.each([
    ['hour', 'Asia/Kathmandu', '2026-11-25T12:15:00.000Z'],
    ['day', 'UTC', '2026-11-25T00:00:00.000Z'],
    ['day', 'Asia/Kathmandu', '2026-11-24T18:15:00.000Z'],
    ['day', 'America/New_York', '2026-11-25T05:00:00.000Z'],
    ['week', 'UTC', '2026-11-23T00:00:00.000Z'],
  ] as const)('begins with a whole %s of %s', (bucket, zone, begin) => {
    expect(beginOf(new Date('2026-11-25T12:34:56.789Z'), bucket, zone).toISOString()).toBe(begin);
  });

  it('is compared with the same time before it', () => {
    const now = new Date('2026-11-25T12:00:00Z');
    const { from, before } = questionOf(new URLSearchParams('period=7d&zone=UTC'), now);
    expect(from.toISOString()).toBe('2026-11-18T00:00:00.000Z');
    expect(from.getTime() - before.getTime()).toBe(now.getTime() - from.getTime());
  });
});

it('a success rate is of what PolyAI ended', () => {
  const outcomes = { success: 3, failure: 1, lost: 5, not_found: 1, rejected: 0, abandoned: 0, none: 2 };
  expect(sumOf([{ calls: 12, outcomes }])).toEqual({
    calls: 12,
    success: 3,
    failure: 1,
    concluded: 6,
    followed: 2,
    successRate: 0.75,
  });
});

describe('troubles', () => {
  const fine = {
    status: 'ok' as const,
    checkedAt: '2026-11-25T12:00:00.000Z',
    archive: { state: 'up' as const },
    queue: { state: 'up' as const, isShared: true, active: 1, waiting: 0 },
    workers: { count: 1, followedHere: 0 },
    accounts: [account({})],
  };

  function account(more: object) {
    return {
      name: 'default',
      state: 'ok',
      detail: null,
      api: 'agents',
      requestsPerSecond: null,
      maxRequestsPerSecond: null,
      waitingPolls: 0,
      nextProbeSeconds: null,
      followed: 1,
      atRisk: 0,
      longestSilenceSeconds: 1,
      ...more,
    };
  }

  it.each([
    ['nothing', fine, []],
    ['Postgres', { ...fine, archive: { state: 'down' as const } }, ['polykeeparchiveaway']],
    ['Redis', { ...fine, queue: { ...fine.queue, state: 'down' as const } }, ['polykeepqueueaway']],
    ['no worker', { ...fine, workers: { count: 0, followedHere: 0 } }, ['polykeepnobodypolls']],
    ['a token', { ...fine, accounts: [account({ state: 'paused' })] }, ['polykeepaccountpaused']],
    ['calls at risk', { ...fine, accounts: [account({ atRisk: 2 })] }, ['polykeepcallsatrisk']],
    [
      'two at once, the worse first',
      { ...fine, accounts: [account({ state: 'limited' }), account({ name: 'uk', state: 'failing' })] },
      ['polykeepaccountfailing', 'polykeeppollsstretched'],
    ],
  ])('of %s lead into the runbook', (_, health, runbook) => {
    expect(troublesOf(health).map(({ runbook }) => runbook)).toEqual(runbook);
  });
});
