import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { startCrowd } from '../crowd.ts';
import { look, ON_TIME_MS, type Window } from '../crowd-window.ts';
import { endlessCalls } from '../lives.ts';
import { atLeast, atMost, type Part, round, shown } from '../part.ts';
import { type Measured, measureWindow } from '../polling/measure.ts';
import { startPeer } from '../polling/peer.ts';
import { median, type Spread, spreadOf } from '../quantile.ts';
import { connectionsFor, openWay, type Protocol } from '../upstream/way.ts';

const CALLS = 20_000;
const QUICK_CALLS = 500;
const LATENCY_MS = 50;
const MEAN_INTERVAL_S = 3.5;
/** More than are ever under way: polls per second by the latency, and half as many again. */
const AT_MOST_AT_ONCE = 448;
const SETTLE_MS = 8_000;
const WINDOW_MS = 8_000;
const QUICK_MS = 3_000;
const PROTOCOLS = ['https h1', 'https h2'] as const satisfies readonly Protocol[];

interface Found {
  protocol: Protocol;
  rounds: { crowd: Window; bare: Measured }[];
}

/** Many calls at the default interval, over https with PolyAI's latency, beside a bare loop at the same pace. */
export const httpsCrowd: Part = {
  name: 'https-crowd',
  async run(bench) {
    const found: Found[] = [];
    for (const protocol of PROTOCOLS) {
      bench.say(`https-crowd: ${protocol}`);
      found.push({ protocol, rounds: await measure(bench, protocol) });
    }
    const of = ({ rounds }: Found, value: (window: Window) => number) =>
      spreadOf(rounds.map(({ crowd }) => value(crowd)));
    const cpu = ({ rounds }: Found): Spread =>
      spreadOf(rounds.map(({ crowd, bare }) => crowd.sidecar / bare.own));
    return {
      title: 'A crowd over https',
      text: [
        `${CALLS.toLocaleString('en-GB')} calls at the default interval of 2 to 5 s in one worker over BullMQ; each answer takes ${LATENCY_MS} ms. The bare undici`,
        'loop asks an upstream of its own at the same time, over the same protocol, as often per second, so that as many requests',
        `are under way. On time is no later than ${ON_TIME_MS} ms after the call's last poll.`,
      ].join('\n'),
      tables: [
        {
          head: [
            'protocol',
            'polls/s',
            'on time %',
            'CPU µs/poll',
            'bare loop',
            'ratio',
            'connections',
            'of the bare loop',
          ],
          rows: found.map((one) => [
            one.protocol,
            round(of(one, ({ pollsPerSecond }) => pollsPerSecond).median),
            shown(of(one, ({ onTime }) => 100 * onTime)),
            round(of(one, ({ sidecar }) => sidecar).median),
            round(median(one.rounds.map(({ bare }) => bare.own))),
            shown(cpu(one)),
            of(one, ({ connections }) => connections).median,
            median(one.rounds.map(({ bare }) => bare.connections)),
          ]),
        },
      ],
      targets: found.flatMap((one) => [
        atLeast(
          `${one.protocol}, ${LATENCY_MS} ms, ${CALLS} calls: on time`,
          99,
          of(one, ({ onTime }) => 100 * onTime),
          ' %',
        ),
        atMost(
          `${one.protocol}, ${LATENCY_MS} ms, ${CALLS} calls: CPU per poll to the bare loop's`,
          1.5,
          cpu(one),
        ),
        ...(one.protocol === 'https h2'
          ? [
              atMost(
                `${one.protocol}, ${CALLS} calls: connections`,
                64,
                of(one, ({ connections }) => connections),
              ),
            ]
          : []),
      ]),
      notes: [],
      rounds: found,
    };
  },
};

async function measure(bench: Bench, protocol: Protocol): Promise<Found['rounds']> {
  const [way, bareWay] = [
    await openWay(bench, protocol, LATENCY_MS),
    await openWay(bench, protocol, LATENCY_MS),
  ];
  const calls = bench.quick ? QUICK_CALLS : CALLS;
  const redis = await bench.redis();
  const crowd = await startCrowd({
    ...{ databaseUrl: await bench.database(), redisUrl: redis.url, way, workers: 1 },
    callSids: endlessCalls(calls),
  });
  const { connections } = connectionsFor(bareWay, AT_MOST_AT_ONCE);
  const bare = await startPeer(bench, 'bare', {
    ...{ size: AT_MOST_AT_ONCE, stores: [], way: bareWay },
    more: { CONNECTIONS: `${connections}`, PER_SECOND: `${calls / MEAN_INTERVAL_S}` },
  });
  const beside = {
    upstream: way.upstream,
    redisPid: redis.pid,
    postgresPid: (await bench.postgres()).pid,
  };
  const windowMs = bench.quick ? QUICK_MS : WINDOW_MS;
  try {
    await bare.follow(endlessCalls(calls));
    await way.upstream.keepIntervals(true);
    await sleep(bench.quick ? QUICK_MS : SETTLE_MS);
    const rounds: Found['rounds'] = [];
    for (let n = 0; n < bench.rounds; n++) {
      const [ofCrowd, ofBare] = await Promise.all([
        look(crowd, beside, { calls, windowMs }),
        measureWindow(bare, windowMs),
      ]);
      rounds.push({ crowd: ofCrowd, bare: ofBare });
    }
    return rounds;
  } finally {
    await Promise.all([crowd.stop(), bare.stop()]);
    await Promise.all([way.upstream.stop(), bareWay.upstream.stop()]);
  }
}
