import { Scroll } from '../parts/scroll.tsx';
import type { Stats, StatsRow } from '../polykeep/answers.ts';
import { countText, shareText } from '../words/numbers.ts';
import { durationText } from '../words/times.ts';
import { bucketNames } from './chart-scale.ts';
import type { Question } from './question.ts';
import { sumOf } from './sums.ts';

interface BucketTableProps {
  rows: readonly StatsRow[];
  question: Question;
  percentiles: Stats['percentiles'];
}

/** What the charts show, to be read and copied. */
export function BucketTable({ rows, question, percentiles }: BucketTableProps) {
  const names = bucketNames(question);
  return (
    <details class="panel">
      <summary>The numbers as a table</summary>
      <Scroll label="Numbers">
        <table class="numbers">
          <caption class="unseen">Outcomes by {question.bucket}</caption>
          <thead>
            <tr>
              <th scope="col">{question.bucket}</th>
              {TITLES.map(([key, title]) => (
                <th key={key} scope="col" class="number">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <BucketRow key={row.bucket} row={row} name={names.full(Date.parse(row.bucket))} />
            ))}
          </tbody>
        </table>
      </Scroll>
      <p class="muted small">
        Times are by PolyAI’s own clock where it gives both ends, else by the polls that saw them; percentiles{' '}
        {percentiles}.
      </p>
    </details>
  );
}

function BucketRow({ row, name }: { row: StatsRow; name: string }) {
  const sum = sumOf([row]);
  const { queued, calling } = row.seconds;
  const seconds = [queued?.p50, queued?.p90, queued?.p99, calling?.p50, calling?.p90, calling?.p99];
  return (
    <tr>
      <th scope="row">{name}</th>
      {[sum.calls, sum.success, sum.failure, sum.concluded, sum.followed].map((count, index) => (
        <td key={COUNTS[index]} class="number">
          {countText(count)}
        </td>
      ))}
      <td class="number">{sum.successRate === null ? '–' : shareText(sum.successRate)}</td>
      {seconds.map((value, index) => (
        <td key={QUANTILES[index]} class="number">
          {value === undefined ? '–' : durationText(value * 1000)}
        </td>
      ))}
    </tr>
  );
}

const COUNTS = ['calls', 'success', 'failure', 'concluded', 'followed'];
const QUANTILES = ['q50', 'q90', 'q99', 'c50', 'c90', 'c99'];
const TITLES = [
  ['calls', 'Calls'],
  ['success', 'Success'],
  ['failure', 'Failure'],
  ['concluded', 'Concluded'],
  ['followed', 'Followed'],
  ['rate', 'Rate'],
  ['q50', 'Queued p50'],
  ['q90', 'p90'],
  ['q99', 'p99'],
  ['c50', 'Calling p50'],
  ['c90', 'p90'],
  ['c99', 'p99'],
];
