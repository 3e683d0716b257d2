import type { Bench } from '../bench.ts';
import { atLeast, atMost, type Part, round, type Section, shown, type Target } from '../part.ts';
import { alternate, type Rounds } from '../polling/alternate.ts';
import type { Candidate } from '../polling/candidate.ts';
import { isToBeHad, loadClientFor, startLoadClient } from '../polling/load-client.ts';
import type { Measured } from '../polling/measure.ts';
import { startPeer } from '../polling/peer.ts';
import { startEmbedded, startWorker } from '../polling/polykeep.ts';
import { ratio } from '../polling/ratio.ts';
import { median } from '../quantile.ts';
import { connectionsFor, openWay, type Protocol, type Way } from '../upstream/way.ts';

/** How many requests are under way at most, for every candidate alike. */
const GROUPS = (['https h1', 'https h2'] as const).flatMap((protocol) => [
  { protocol, latencies: [0], atOnce: 48 },
  { protocol, latencies: [50, 150], atOnce: 512 },
]);
type Group = (typeof GROUPS)[number];

const TURNS = { warmUpMs: 1_500, settleMs: 300, windowMs: 1_000 };
const QUICK_TURNS = { warmUpMs: 500, settleMs: 200, windowMs: 500 };

interface Found {
  protocol: Protocol;
  latencyMs: number;
  atOnce: number;
  candidates: readonly Candidate[];
  rounds: Rounds;
}

/** Polls as fast as it goes over what PolyAI speaks, with its latency. */
export const https: Part = {
  name: 'https',
  async run(bench) {
    const found: Found[] = [];
    for (const group of GROUPS) found.push(...(await measure(bench, group)));
    return section(found);
  },
};

async function measure(bench: Bench, group: Group): Promise<Found[]> {
  const { protocol, latencies, atOnce } = group;
  bench.say(`https: ${nameOf(protocol)}, ${latencies.join(' and ')} ms, ${atOnce} at a time`);
  const way = await openWay(bench, protocol, 0);
  const candidates = candidatesFor(bench, way, group);
  const turns = { ...(bench.quick ? QUICK_TURNS : TURNS), rounds: bench.rounds };
  const settings = latencies.map((ms) => () => way.upstream.latency(ms));
  const measured = await alternate(candidates, turns, settings);
  await way.upstream.stop();
  return measured.map((rounds, index) => ({
    ...{ protocol, atOnce, candidates, rounds },
    latencyMs: latencies[index] ?? 0,
  }));
}

/** (c) where the process alone is what counts: while answers take their time it has nothing to do but wait. */
function candidatesFor(bench: Bench, way: Way, { latencies, atOnce }: Group): Candidate[] {
  const { connections } = connectionsFor(way, atOnce);
  const load = loadClientFor(way);
  const bare = { size: atOnce, stores: [], way, more: { CONNECTIONS: `${connections}` } };
  return [
    ...(isToBeHad(load) ? [candidate('w', load, () => startLoadClient(way, atOnce))] : []),
    candidate('a', 'bare undici loop', () => startPeer(bench, 'bare', bare)),
    candidate('b', 'polykeep, BullMQ', () => startWorker(bench, { way, atOnce })),
    ...(latencies.includes(0)
      ? [candidate('c', 'polykeep, embedded', () => startEmbedded(bench, { way, atOnce }))]
      : []),
  ];
}

function candidate(letter: string, name: string, start: Candidate['start']): Candidate {
  return { letter, name, ours: 'bc'.includes(letter), settings: '', lacks: '', start };
}

function nameOf(protocol: Protocol): string {
  return protocol === 'https h2' ? 'HTTP/2' : 'HTTP/1.1';
}

function section(found: readonly Found[]): Section {
  return {
    title: 'Polling over https',
    text: [
      'Calls that never end, polled as fast as it goes over TLS 1.3. The upstream answers each request after 0, 50 or 150 ms;',
      'every candidate has as many requests under way, so where answers take their time that and the latency bound how many',
      'polls there can be. Each candidate stands still while another has its turn. `wrk` and `h2load` are clients in C, which',
      'send one request again and again.',
    ].join('\n'),
    tables: [
      {
        head: [
          'protocol, latency, candidate',
          'polls/s',
          'of (a)',
          'µs CPU per poll',
          'of (a)',
          'connections',
          'upstream, of a core',
        ],
        rows: found.flatMap((one) => one.candidates.map((candidate) => row(one, candidate))),
      },
    ],
    targets: found.flatMap(targetsOf),
    notes: [],
    bars: {
      title: 'Status polls per second over https, answered at once',
      unit: 'more is better',
      bars: found
        .filter(({ latencyMs }) => latencyMs === 0)
        .flatMap(({ protocol, candidates, rounds }) =>
          candidates.map(({ letter, name, ours }) => ({
            label: `${nameOf(protocol)}: ${name}`,
            value: median(rounds.map((round) => round[letter]?.perSecond ?? Number.NaN)),
            ours,
          })),
        ),
    },
    rounds: found.map(({ candidates, ...one }) => one),
  };
}

function row(one: Found, { letter, name }: Candidate): (string | number)[] {
  const { rounds } = one;
  const value = (read: (measured: Measured) => number) =>
    median(rounds.map((round) => (round[letter] ? read(round[letter]) : Number.NaN)));
  return [
    `${nameOf(one.protocol)}, ${one.latencyMs} ms, (${letter}) ${name}`,
    Math.round(value(({ perSecond }) => perSecond)),
    shown(ratio(rounds, [letter, 'a'], ({ perSecond }) => perSecond)),
    round(value(({ own }) => own)),
    shown(ratio(rounds, [letter, 'a'], ({ own }) => own)),
    value(({ connections }) => connections),
    `${Math.round(100 * value(({ upstreamShare }) => upstreamShare))} %`,
  ];
}

function targetsOf({ protocol, latencyMs, rounds }: Found): Target[] {
  if (latencyMs !== 0) return [];
  const perSecond = (one: string, other: string) => ratio(rounds, [one, other], (of) => of.perSecond);
  const own = ratio(rounds, ['b', 'a'], (of) => of.own);
  const name = `https, ${nameOf(protocol)}, as fast as it goes`;
  return [
    atLeast(`${name}: polls/s, (b) to (a)`, 0.8, perSecond('b', 'a')),
    atMost(`${name}: CPU per poll, (b) to (a)`, 1.5, own),
    atLeast(`${name}: polls/s, (c) to (b)`, 0.95, perSecond('c', 'b')),
  ];
}
