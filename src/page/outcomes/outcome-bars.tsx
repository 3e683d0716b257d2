import type { StatsRow } from '../polykeep/answers.ts';
import { compactText, countText } from '../words/numbers.ts';
import { MEANINGS, type Meaning } from '../words/outcomes.ts';
import { Chart, yOf } from './chart.tsx';
import { bucketNames, bucketScale, roundUp } from './chart-scale.ts';
import type { Question } from './question.ts';
import { type Sum, sumOf } from './sums.ts';

/** From the ground up. */
const ORDER: readonly Meaning[] = ['success', 'failure', 'concluded', 'followed'];

export function OutcomeBars({ rows, question }: { rows: readonly StatsRow[]; question: Question }) {
  const scale = bucketScale(question);
  const names = bucketNames(question);
  const top = roundUp(Math.max(...rows.map(({ calls }) => calls)));
  const bars = rows.map((row) => {
    const time = Date.parse(row.bucket);
    return { time, x: scale.at(time), width: scale.width, sum: sumOf([row]) };
  });
  return (
    <section class="panel" aria-labelledby="bars">
      <h2 id="bars">Calls by the {question.bucket} of their registration</h2>
      <Chart
        label="Calls over time"
        top={top}
        format={compactText}
        points={bars.map(({ time, x, width, sum }) => ({
          x,
          width,
          name: names.short(time),
          text: `${names.full(time)}: ${textOf(sum)}`,
        }))}
      >
        <Patterns />
        {bars.map(({ time, x, width, sum }) => (
          <Stack key={time} x={x} width={width} sum={sum} top={top} />
        ))}
      </Chart>
      <p class="legend">
        {ORDER.map((meaning) => (
          <span key={meaning}>
            <svg width="14" height="14" aria-hidden="true">
              <rect width="14" height="14" class={`part ${meaning}`} />
            </svg>{' '}
            {MEANINGS[meaning]}
          </span>
        ))}
      </p>
    </section>
  );
}

function Stack({ x, width, sum, top }: { x: number; width: number; sum: Sum; top: number }) {
  let below = 0;
  return (
    <>
      {ORDER.map((meaning) => {
        const from = below;
        below += sum[meaning];
        const y = yOf(below, top);
        const height = yOf(from, top) - y;
        if (height <= 0) return null;
        return (
          <rect
            key={meaning}
            x={`${x + width * 0.1}%`}
            y={y}
            width={`${width * 0.8}%`}
            height={height}
            class={`part ${meaning}`}
          />
        );
      })}
    </>
  );
}

/** Each meaning has a texture of its own beside its colour. */
function Patterns() {
  return (
    <defs>
      <pattern id="of-failure" width="5" height="5" patternUnits="userSpaceOnUse">
        <rect width="5" height="5" class="ground failure" />
        <rect width="5" height="1" class="texture" />
      </pattern>
      <pattern
        id="of-concluded"
        width="5"
        height="5"
        patternUnits="userSpaceOnUse"
        patternTransform="rotate(45)"
      >
        <rect width="5" height="5" class="ground concluded" />
        <rect width="1.6" height="5" class="texture" />
      </pattern>
    </defs>
  );
}

function textOf(sum: Sum): string {
  const parts = ORDER.filter((meaning) => sum[meaning] > 0).map(
    (meaning) => `${countText(sum[meaning])} ${MEANINGS[meaning].toLowerCase()}`,
  );
  return `${countText(sum.calls)} calls – ${parts.join(', ')}`;
}
