import { Scroll } from '../parts/scroll.tsx';
import { Failing, Loading } from '../parts/states.tsx';
import type { Stats } from '../polykeep/answers.ts';
import { useResource } from '../polykeep/resource.ts';
import { countText, shareText } from '../words/numbers.ts';
import { groupPath, type Question } from './question.ts';
import { readStats } from './read-stats.ts';
import { ShareBar } from './share-bar.tsx';
import { groupSums } from './sums.ts';

const MOST_SHOWN = 20;

/** The period apart by account, or by a key of the metadata. */
export function Groups({ question }: { question: Question }) {
  const { answer, failure, renew } = useResource<Stats>(groupPath(question, question.by), readStats);
  const name = question.by.replace(/^metadata\./, '');
  const groups = groupSums(answer?.data ?? []);
  return (
    <section class="panel" aria-labelledby="groups">
      <h2 id="groups">By {name}</h2>
      {answer === null && failure !== null && <Failing failure={failure} retry={renew} />}
      {answer === null && failure === null && <Loading rows={4} label="Counting" />}
      {answer !== null && (
        <Scroll label="Groups">
          <table class="groups">
            <thead>
              <tr>
                <th scope="col">{name}</th>
                <th scope="col" class="number">
                  Calls
                </th>
                <th scope="col" class="number">
                  Success rate
                </th>
                <th scope="col" class="share">
                  How they went
                </th>
              </tr>
            </thead>
            <tbody>
              {groups.slice(0, MOST_SHOWN).map(({ group, sum }) => (
                <tr key={group}>
                  <th scope="row">{group ?? <span class="muted">without</span>}</th>
                  <td class="number">{countText(sum.calls)}</td>
                  <td class="number">{sum.successRate === null ? '–' : shareText(sum.successRate)}</td>
                  <td class="share">
                    <ShareBar sum={sum} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {groups.length > MOST_SHOWN && (
            <p class="muted small">
              The largest {MOST_SHOWN} of {groups.length}.
            </p>
          )}
        </Scroll>
      )}
    </section>
  );
}
