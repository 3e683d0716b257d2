import { shareText } from '../words/numbers.ts';
import { MEANINGS, type Meaning } from '../words/outcomes.ts';
import type { Sum } from './sums.ts';

const ORDER: readonly Meaning[] = ['success', 'failure', 'concluded', 'followed'];

/** How a group's calls went, in one line. */
export function ShareBar({ sum }: { sum: Sum }) {
  let x = 0;
  return (
    <svg width="100%" height="12" role="img" aria-label={textOf(sum)}>
      {ORDER.map((meaning) => {
        const width = sum.calls === 0 ? 0 : (sum[meaning] / sum.calls) * 100;
        const from = x;
        x += width;
        return width === 0 ? null : (
          <rect key={meaning} x={`${from}%`} width={`${width}%`} height="12" class={`part ${meaning}`} />
        );
      })}
    </svg>
  );
}

function textOf(sum: Sum): string {
  return ORDER.filter((meaning) => sum[meaning] > 0)
    .map((meaning) => `${MEANINGS[meaning]} ${shareText(sum[meaning] / sum.calls)}`)
    .join(', ');
}
