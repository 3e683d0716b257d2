import { hrefOf } from '../address.ts';
import { Loading } from '../parts/states.tsx';
import type { Stats } from '../polykeep/answers.ts';
import { useResource } from '../polykeep/resource.ts';
import { countText, shareText } from '../words/numbers.ts';
import { type Question, reasonsPath } from './question.ts';
import { readStatsIfAny } from './read-stats.ts';
import { groupSums } from './sums.ts';

const MOST_SHOWN = 8;

/** Why calls failed, as PolyAI says it. */
export function Reasons({ question }: { question: Question }) {
  const { answer, isLoading } = useResource<Stats | null>(reasonsPath(question), readStatsIfAny);
  const reasons = groupSums(answer?.data ?? [])
    .map(({ group, sum }) => ({ reason: group, failures: sum.failure }))
    .filter(({ failures }) => failures > 0)
    .sort((a, b) => b.failures - a.failures);
  const all = reasons.reduce((sum, { failures }) => sum + failures, 0);
  return (
    <section class="panel" aria-labelledby="reasons">
      <h2 id="reasons">Why calls failed</h2>
      {isLoading && answer === null && <Loading rows={4} label="Counting" />}
      {!isLoading && answer === null && (
        <p class="muted">Too much to count in time, or not counted by this polykeep.</p>
      )}
      {answer !== null && reasons.length === 0 && <p class="muted">No call failed.</p>}
      <ol class="reasons">
        {reasons.slice(0, MOST_SHOWN).map(({ reason, failures }) => (
          <li key={reason}>
            <Reason reason={reason} question={question} />
            <span class="number">
              {countText(failures)} <span class="muted">{shareText(failures / all)}</span>
            </span>
            <svg width="100%" height="4" aria-hidden="true">
              <rect width={`${(failures / all) * 100}%`} height="4" rx="2" class="ground failure" />
            </svg>
          </li>
        ))}
      </ol>
      {reasons.length > MOST_SHOWN && <p class="muted small">and {reasons.length - MOST_SHOWN} more</p>}
    </section>
  );
}

function Reason({ reason, question: { from, to, account } }: { reason: string | null; question: Question }) {
  if (reason === null) return <span class="muted">PolyAI gave no reason</span>;
  const query = {
    outcome: 'failure',
    reason,
    registeredFrom: from.toISOString(),
    registeredTo: to.toISOString(),
    ...(account === '' ? {} : { account }),
  };
  return <a href={hrefOf(['calls'], query)}>{reason}</a>;
}
