import type { Bench } from '../bench.ts';
import { loadsOf } from '../parts/intake.ts';
import { alternate, type Rounds } from '../polling/alternate.ts';
import type { Candidate } from '../polling/candidate.ts';
import type { Measured } from '../polling/measure.ts';
import { startPeer } from '../polling/peer.ts';
import { startWorker } from '../polling/polykeep.ts';
import { ratio } from '../polling/ratio.ts';
import { type Spread, spreadOf } from '../quantile.ts';
import { connectionsFor, openWay, type Protocol } from '../upstream/way.ts';
import { measureWrites, type WriteRates } from '../write.ts';

/** Ratios of what polykeep does to what is beside it, in one run; more is better. */
export type Ratios = Record<string, Spread>;

/** Ratios that are measured together. */
export interface Gauge {
  name: string;
  measure(bench: Bench): Promise<Ratios>;
}

const AT_ONCE = 48;
/** Many short turns: on a machine that does something else at times the median of their ratios stands still. */
const TURNS = { warmUpMs: 1_500, settleMs: 150, windowMs: 600, rounds: 11 };
const ROUNDS = 4;
const INTAKE_SECONDS = 1;
const WRITTEN = { calls: 5_000, single: 1_000 };

export const GAUGES: readonly Gauge[] = [
  polling('http'),
  polling('https h1'),
  polling('https h2'),
  { name: 'intake', measure: intake },
  { name: 'writing', measure: writing },
];

/** A worker beside the bare undici loop, with as many requests under way. */
function polling(protocol: Protocol): Gauge {
  return {
    name: protocol,
    async measure(bench) {
      const way = await openWay(bench, protocol, 0);
      const { connections } = connectionsFor(way, AT_ONCE);
      const bare = { size: AT_ONCE, stores: [], way, more: { CONNECTIONS: `${connections}` } };
      const [rounds = []] = await alternate(
        [
          candidate('a', () => startPeer(bench, 'bare', bare)),
          candidate('b', () => startWorker(bench, { way, atOnce: AT_ONCE })),
        ],
        TURNS,
      );
      await way.upstream.stop();
      return {
        [`${protocol}: polls/s to the bare loop's`]: of(rounds, ['b', 'a'], ({ perSecond }) => perSecond),
        [`${protocol}: the bare loop's CPU per poll to ours`]: of(rounds, ['a', 'b'], ({ own }) => own),
      };
    },
  };
}

/** A turn in which nothing was polled tells of the machine. */
function of(rounds: Rounds, pair: readonly [string, string], read: (measured: Measured) => number): Spread {
  const good = rounds.filter((round) =>
    Object.values(round).every(({ perSecond, own }) => perSecond > 0 && own > 0),
  );
  return ratio(good, pair, read);
}

function candidate(letter: string, start: Candidate['start']): Candidate {
  return { letter, name: letter, ours: letter === 'b', settings: '', lacks: '', start };
}

async function intake(bench: Bench): Promise<Ratios> {
  const rounds = await loadsOf(bench, { rounds: ROUNDS, seconds: INTAKE_SECONDS });
  return {
    'CPU per registration: bare route to ours': spreadOf(
      rounds.map(({ bare, single }) => bare.cpu / single.cpu),
    ),
  };
}

/** By CPU: how fast a disk takes what is committed differs from one moment to the next. The first round runs warm. */
async function writing(bench: Bench): Promise<Ratios> {
  const rounds: WriteRates[] = [];
  const { pid: postgresPid } = await bench.postgres();
  for (let n = 0; n <= ROUNDS; n++) {
    rounds.push(await measureWrites(await bench.database(), { ...WRITTEN, postgresPid }));
  }
  const to = (other: 'copy' | 'singles') =>
    spreadOf(rounds.slice(1).map((round) => round[other].cpu / round.writer.cpu));
  return {
    'CPU per transition: COPY to ours': to('copy'),
    'CPU per transition: single upserts to ours': to('singles'),
  };
}
