import type { StatsRow } from '../polykeep/answers.ts';
import { shareText } from '../words/numbers.ts';
import { Chart } from './chart.tsx';
import { bucketNames, bucketScale } from './chart-scale.ts';
import { Line } from './line.tsx';
import type { Question } from './question.ts';
import { sumOf } from './sums.ts';

interface RateChartProps {
  now: readonly StatsRow[];
  before: readonly StatsRow[];
  question: Question;
}

/** The share of successes among what PolyAI ended, over the period before laid behind it. */
export function RateChart({ now, before, question }: RateChartProps) {
  const scale = bucketScale(question);
  const names = bucketNames(question);
  const shift = question.to.getTime() - question.from.getTime();
  const rates = (rows: readonly StatsRow[], by: number) =>
    rows.map((row) => {
      const time = Date.parse(row.bucket);
      return { time, x: scale.at(time + by), value: sumOf([row]).successRate };
    });
  const present = rates(now, 0);
  const centred = (points: ReturnType<typeof rates>) =>
    points.map((point) => ({ ...point, x: point.x + scale.width / 2 }));
  return (
    <section class="panel" aria-labelledby="rate">
      <h2 id="rate">Success rate</h2>
      <Chart
        label="Success rate over time"
        top={1}
        format={shareText}
        points={present.map(({ time, x, value }) => ({
          x,
          width: scale.width,
          name: names.short(time),
          text: `${names.full(time)}: ${value === null ? 'nothing ended' : shareText(value)}`,
        }))}
      >
        <Line points={centred(rates(before, shift)).filter(({ x }) => x >= 0)} top={1} kind="past" />
        <Line points={centred(present)} top={1} kind="present" />
      </Chart>
      <p class="legend">
        <span>
          <i class="swatch line present" /> this period
        </span>
        <span>
          <i class="swatch line past" /> the period before
        </span>
      </p>
    </section>
  );
}
