import type { Part } from '../part.ts';
import { SIZES, type Sized, startSized } from '../polling/candidates.ts';
import { measure } from '../polling/measure.ts';

/** How many connections, or jobs at a time, each candidate of the polling is best with: `SIZES` has what was found. */
export const tuning: Part = {
  name: 'tuning',
  async run(bench) {
    const times = bench.quick ? { warmUpMs: 500, windowMs: 500 } : { warmUpMs: 2_000, windowMs: 3_000 };
    const rows: (string | number)[][] = [];
    for (const name of Object.keys(SIZES).filter(isSized)) {
      for (const size of SIZES[name]) {
        const start = () => startSized(bench, name, size);
        const candidate = { letter: '', name, ours: false, settings: '', lacks: '', start };
        const { perSecond } = await measure(candidate, times);
        rows.push([name, size, Math.round(perSecond)]);
        bench.say(`tuning: ${name} ${size}: ${Math.round(perSecond)} polls/s`);
      }
    }
    return {
      title: 'Tuning of the peers',
      text: 'One window each.',
      tables: [{ head: ['candidate', 'size', 'polls/s'], rows }],
      targets: [],
      notes: [],
      rounds: rows,
    };
  },
};

function isSized(name: string): name is Sized {
  return name in SIZES;
}
