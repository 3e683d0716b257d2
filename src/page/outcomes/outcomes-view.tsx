import { useMemo, useState } from 'preact/hooks';
import type { Address } from '../address.ts';
import { Empty, Failing, Loading } from '../parts/states.tsx';
import { useTitle } from '../parts/title.ts';
import type { Stats } from '../polykeep/answers.ts';
import { useResource } from '../polykeep/resource.ts';
import { clockText } from '../words/times.ts';
import { BucketTable } from './bucket-table.tsx';
import { Controls } from './controls.tsx';
import { Groups } from './groups.tsx';
import { OutcomeBars } from './outcome-bars.tsx';
import { mainPath, type Question, questionOf } from './question.ts';
import { RateChart } from './rate-chart.tsx';
import { readStats } from './read-stats.ts';
import { Reasons } from './reasons.tsx';
import { SecondsChart } from './seconds-chart.tsx';
import { split } from './sums.ts';
import { Tiles } from './tiles.tsx';

export function OutcomesView({ query }: { query: Address['query'] }) {
  useTitle('Outcomes');
  const [askedAt, setAskedAt] = useState(() => new Date());
  const question = useMemo(() => questionOf(query, askedAt), [query, askedAt]);
  const stats = useResource<Stats>(mainPath(question), readStats);

  return (
    <>
      <div class="head">
        <h1>Outcomes</h1>
        <span class="muted small">as of {clockText(askedAt)}</span>
        <button type="button" class="quiet" onClick={() => setAskedAt(new Date())}>
          Renew
        </button>
      </div>
      <Controls query={query} question={question} />
      {stats.answer !== null && <Counted stats={stats.answer} question={question} />}
      {stats.answer === null && stats.failure !== null && (
        <Failing failure={stats.failure} retry={stats.renew} />
      )}
      {stats.answer === null && stats.failure === null && <Loading rows={8} label="Counting" />}
    </>
  );
}

function Counted({ stats, question }: { stats: Stats; question: Question }) {
  const { now, before } = split(stats.data, question.from);
  if (now.length === 0) {
    return (
      <Empty title="No call in this time">
        <p>Choose a longer period, or another account.</p>
      </Empty>
    );
  }
  return (
    <>
      <Tiles now={now} before={before} />
      <OutcomeBars rows={now} question={question} />
      <div class="columns">
        <RateChart now={now} before={before} question={question} />
        <Reasons question={question} />
        <SecondsChart status="queued" rows={now} question={question} />
        <SecondsChart status="calling" rows={now} question={question} />
      </div>
      {question.by !== '' && <Groups question={question} />}
      <BucketTable rows={now} question={question} percentiles={stats.percentiles} />
    </>
  );
}
