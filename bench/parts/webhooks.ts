import { setTimeout as sleep } from 'node:timers/promises';
import { type Pushing, startPushing } from '../../test/support/push.ts';
import { sightingNow } from '../../test/support/sighting.ts';
import type { Bench } from '../bench.ts';
import type { Window } from '../crowd-window.ts';
import { atLeast, atMost, type Part, round, shown } from '../part.ts';
import { median, quantile, spreadOf } from '../quantile.ts';
import { query } from '../query.ts';
import { settingsOf, startReceiver } from '../webhook-receivers.ts';
import { measurePolls, POLLED_CALLS, type Polls } from '../webhooks-polls.ts';

const EVENTS_PER_SECOND = 100;
const LAG_SECONDS = 8;
const BACKLOG = 5_000;
const WAITING = 100_000;
const REPORTS = 20_000;

/** How fast others are told, and what telling them costs. */
export const webhooks: Part = {
  name: 'webhooks',
  async run(bench) {
    const [lags, rates, writes] = [[], [], []] as [Lag[], number[], Writes[]];
    for (let number = 0; number < bench.rounds; number++) {
      bench.say(`webhooks: round ${number + 1}`);
      lags.push(await measureLag(bench));
      rates.push(await measureRate(bench));
      writes.push(await measureWrites(bench));
    }
    bench.say('webhooks: polls');
    const polls = await measurePolls(bench);
    const waiting = await measureWaiting(bench);
    const of = <Value>(values: readonly Value[], number: (value: Value) => number) =>
      median(values.map(number));
    const slower = of(writes, ({ without, withThree }) => (1 - withThree / without) * 100);
    return {
      title: 'Webhooks',
      text: [
        `Lag: from the row of a delivery, a moment before its commit, to the receiver’s request, at ${EVENTS_PER_SECOND} events`,
        `per second. Throughput: ${BACKLOG} deliveries that wait, by one process to one receiver, of which 20 requests at a time`,
        `are under way. Writing: ${REPORTS} transitions, 500 in a transaction, with no webhook and with three. Polls:`,
        `${POLLED_CALLS.toLocaleString('en-GB')} calls at the default interval, of which one changes every 6 ms, in a worker on an archive without`,
        'webhooks and in one on an archive with three, at the same time; another process delivers.',
      ].join('\n'),
      tables: [
        {
          head: ['', 'p50', 'p99'],
          rows: [['lag, ms', round(of(lags, ({ p50 }) => p50)), round(of(lags, ({ p99 }) => p99))]],
        },
        {
          head: ['', 'per second'],
          rows: [
            ['deliveries', round(median(rates))],
            ['transitions written, no webhook', round(of(writes, ({ without }) => without))],
            ['the same, three webhooks', round(of(writes, ({ withThree }) => withThree))],
          ],
        },
        {
          head: ['following', 'no webhook', 'three webhooks', 'ratio'],
          rows: [
            pollsRow('CPU µs/poll', polls, ({ sidecar }) => sidecar),
            pollsRow('polls/s', polls, ({ pollsPerSecond }) => pollsPerSecond),
            pollsRow('on time %', polls, ({ onTime }) => 100 * onTime),
          ],
        },
      ],
      targets: [
        atMost(
          'webhooks: lag p50',
          50,
          of(lags, ({ p50 }) => p50),
          ' ms',
        ),
        atMost(
          'webhooks: lag p99',
          250,
          of(lags, ({ p99 }) => p99),
          ' ms',
        ),
        atMost(
          `CPU per poll at ${POLLED_CALLS} calls, three webhooks to none`,
          1.03,
          spreadOf(polls.map(({ without, withThree }) => withThree.sidecar / without.sidecar)),
        ),
        atLeast('webhooks: deliveries of one process', 1_000, median(rates), '/s'),
        atMost(`webhooks: memory for ${WAITING} that wait`, 50, waiting, ' MB'),
      ],
      notes: [
        `Three webhooks, each told of all, make a batch of transitions ${round(slower)} % slower to write.`,
      ],
      rounds: { lags, rates, writes, polls, waiting },
    };
  },
};

function pollsRow(name: string, polls: readonly Polls[], read: (window: Window) => number) {
  return [
    name,
    round(median(polls.map(({ without }) => read(without)))),
    round(median(polls.map(({ withThree }) => read(withThree)))),
    shown(spreadOf(polls.map(({ without, withThree }) => read(withThree) / read(without)))),
  ];
}

interface Lag {
  p50: number;
  p99: number;
}

interface Writes {
  without: number;
  withThree: number;
}

async function opened(bench: Bench): Promise<{ url: string; pushing: Pushing }> {
  const url = await bench.database();
  const pushing = startPushing({ url });
  return { url, pushing };
}

async function showAll(pushing: Pushing, callSids: readonly string[]): Promise<void> {
  await Promise.all(
    callSids.map((callSid) => pushing.writer.report({ callSid, sighting: sightingNow('queued') })),
  );
}

const named = (count: number) => Array.from({ length: count }, (_, index) => `call-${index}`);

async function registerAll(pushing: Pushing, callSids: readonly string[]): Promise<void> {
  await pushing.registrar.registerAll(
    callSids.map((callSid) => ({ callSid, account: 'default', metadata: {} })),
  );
}

async function measureLag(bench: Bench): Promise<Lag> {
  using to = await startReceiver();
  const { url, pushing } = await opened(bench);
  const seconds = bench.quick ? 2 : LAG_SECONDS;
  const callSids = named(seconds * EVENTS_PER_SECOND);
  try {
    await registerAll(pushing, callSids);
    await pushing.webhooks.create(settingsOf(to.url));
    pushing.sender({ lookEveryMs: 1_000 }).start();
    const begunAt = performance.now();
    for (const [index, callSid] of callSids.entries()) {
      await sleep(Math.max(0, begunAt + (index * 1000) / EVENTS_PER_SECOND - performance.now()));
      void pushing.writer.report({ callSid, sighting: sightingNow('queued') });
    }
    await sleep(2_000);
    const written = await query<{ name: string; at: number }>(
      url,
      `select c.call_sid || ' ' || d.seq as name, date_part('epoch', d.created_at) * 1000 as at
         from polykeep_internal.deliveries d join polykeep_internal.calls c on c.id = d.call_id`,
    );
    const arrived = new Map(await to.take());
    const lags = written.map(({ name, at }) => (arrived.get(name) ?? Number.NaN) - at);
    if (lags.some(Number.isNaN)) throw new Error('not all were delivered');
    return { p50: quantile(lags, 0.5), p99: quantile(lags, 0.99) };
  } finally {
    await pushing.stop();
  }
}

async function measureRate(bench: Bench): Promise<number> {
  using to = await startReceiver();
  const { url, pushing } = await opened(bench);
  const callSids = named(bench.quick ? 500 : BACKLOG);
  try {
    await registerAll(pushing, callSids);
    await pushing.webhooks.create(settingsOf(to.url));
    await showAll(pushing, callSids);
    const begunAt = performance.now();
    pushing.sender().start();
    const left = `select count(*)::int as count from polykeep_internal.deliveries where status = 0`;
    while (((await query<{ count: number }>(url, left))[0]?.count ?? 0) > 0) await sleep(100);
    return callSids.length / ((performance.now() - begunAt) / 1000);
  } finally {
    await pushing.stop();
  }
}

async function measureWrites(bench: Bench): Promise<Writes> {
  const rate = async (webhooks: number) => {
    const { pushing } = await opened(bench);
    const callSids = named(bench.quick ? 500 : REPORTS);
    try {
      await registerAll(pushing, callSids);
      for (let made = 0; made < webhooks; made++)
        await pushing.webhooks.create(settingsOf(`http://127.0.0.1:1/${made}`));
      const begunAt = performance.now();
      await showAll(pushing, callSids);
      return callSids.length / ((performance.now() - begunAt) / 1000);
    } finally {
      await pushing.stop();
    }
  };
  return { without: await rate(0), withThree: await rate(3) };
}

/** What the memory of a process grows by while so many wait for an endpoint that is dead. */
async function measureWaiting(bench: Bench): Promise<number> {
  const { url, pushing } = await opened(bench);
  try {
    await pushing.webhooks.create(settingsOf('http://127.0.0.1:1/'));
    await query(
      url,
      `with stored as (
         insert into polykeep_internal.accounts (name) values ('default') returning id
       ), named as (
         insert into polykeep_internal.statuses (name) values ('queued') returning id
       ), calls as (
         insert into polykeep_internal.calls (call_sid, account)
         select 'waiting-' || n, stored.id from stored, generate_series(1, ${bench.quick ? 100 : WAITING}) n
         returning id
       ), shown as (
         insert into polykeep_internal.transitions (call_id, seq, status, observed_at, body_form)
         select calls.id, 1, named.id, now(), 1 from calls, named
       )
       insert into polykeep_internal.deliveries (webhook_id, call_id, event, seq, occurred_at)
       select w.id, calls.id, 1, 1, now() from calls, polykeep_internal.webhooks w`,
    );
    const before = process.memoryUsage().rss;
    let most = before;
    pushing.sender().start();
    for (let looks = 0; looks < (bench.quick ? 5 : 100); looks++) {
      await sleep(100);
      most = Math.max(most, process.memoryUsage().rss);
    }
    return (most - before) / 1024 / 1024;
  } finally {
    await pushing.stop();
  }
}
