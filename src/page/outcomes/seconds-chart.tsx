import type { StatsRow } from '../polykeep/answers.ts';
import { durationText } from '../words/times.ts';
import { Chart } from './chart.tsx';
import { bucketNames, bucketScale, roundUpSeconds } from './chart-scale.ts';
import { Line } from './line.tsx';
import type { Question } from './question.ts';

const QUANTILES = ['p50', 'p90', 'p99'] as const;
const MEANING = { p50: 'half shorter', p90: '9 in 10', p99: '99 in 100' };

interface SecondsChartProps {
  status: 'queued' | 'calling';
  rows: readonly StatsRow[];
  question: Question;
}

export function SecondsChart({ status, rows, question }: SecondsChartProps) {
  const scale = bucketScale(question);
  const names = bucketNames(question);
  const top = roundUpSeconds(Math.max(...rows.map(({ seconds }) => seconds[status]?.p99 ?? 0)));
  return (
    <section class="panel" aria-labelledby={`seconds-${status}`}>
      <h2 id={`seconds-${status}`}>How long calls were {status}</h2>
      <Chart
        label={`Time ${status}`}
        top={top}
        format={secondsText}
        points={rows.map((row) => {
          const time = Date.parse(row.bucket);
          return {
            x: scale.at(time),
            width: scale.width,
            name: names.short(time),
            text: `${names.full(time)}: ${textOf(row, status)}`,
          };
        })}
      >
        {QUANTILES.map((quantile) => (
          <Line
            key={quantile}
            kind={quantile}
            top={top}
            points={rows.map(({ bucket, seconds }) => ({
              x: scale.at(Date.parse(bucket)) + scale.width / 2,
              value: seconds[status]?.[quantile] ?? null,
            }))}
          />
        ))}
      </Chart>
      <p class="legend">
        {QUANTILES.map((quantile) => (
          <span key={quantile}>
            <i class={`swatch line ${quantile}`} /> {quantile}{' '}
            <span class="muted">({MEANING[quantile]})</span>
          </span>
        ))}
      </p>
    </section>
  );
}

const secondsText = (seconds: number) => durationText(seconds * 1000);

function textOf({ seconds }: StatsRow, status: 'queued' | 'calling'): string {
  const found = seconds[status];
  if (found === null) return 'none that ended';
  return QUANTILES.map((quantile) => `${quantile} ${secondsText(found[quantile])}`).join(', ');
}
