import { Scroll } from '../parts/scroll.tsx';
import { DoubtfulTime, Time } from '../parts/time.tsx';
import { statusText } from '../words/outcomes.ts';
import { durationText } from '../words/times.ts';
import { type Life, lengthOf, ownLengthOf, type Stay } from './life.ts';

/** Each change with the interval in which it happened, and how long the status lasted. */
export function Changes({ life: { stays } }: { life: Life }) {
  if (stays.length === 0) return <p class="muted">PolyAI has shown nothing of this call.</p>;
  const hasOwnTimes = stays.some(({ transition }) => transition.lastUpdated !== null);
  return (
    <Scroll label="Changes of status">
      <table class="changes">
        <caption class="unseen">Changes of status</caption>
        <thead>
          <tr>
            <th scope="col">Status</th>
            <th scope="col">Changed</th>
            <th scope="col" class="wide">
              Between these two polls
            </th>
            {hasOwnTimes && (
              <th scope="col" class="wide">
                PolyAI’s own time
              </th>
            )}
            <th scope="col">Lasted</th>
          </tr>
        </thead>
        <tbody>
          {stays.map((stay, index) => (
            <ChangeRow
              key={stay.transition.seq}
              stay={stay}
              next={stays[index + 1]}
              hasOwnTimes={hasOwnTimes}
            />
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function ChangeRow({
  stay,
  next,
  hasOwnTimes,
}: {
  stay: Stay;
  next: Stay | undefined;
  hasOwnTimes: boolean;
}) {
  const { transition } = stay;
  return (
    <tr>
      <th scope="row">
        {statusText(transition.status)}
        {transition.reason !== null && <div class="reason">{transition.reason}</div>}
      </th>
      <td>
        <DoubtfulTime change={transition} />
      </td>
      <td class="wide">
        {transition.changedAfter === null ? (
          <span class="muted">first seen</span>
        ) : (
          <Time at={transition.changedAfter} />
        )}
        <span class="muted"> … </span>
        <Time at={transition.observedAt} />
      </td>
      {hasOwnTimes && (
        <td class="wide">{transition.lastUpdated === null ? '–' : <Time at={transition.lastUpdated} />}</td>
      )}
      <td>
        <Lasted stay={stay} next={next} />
      </td>
    </tr>
  );
}

function Lasted({ stay, next }: { stay: Stay; next: Stay | undefined }) {
  const length = lengthOf(stay);
  if (length === null) return <span class="muted">{stay.isEnd ? 'the end' : 'still, when seen last'}</span>;
  const own = ownLengthOf(stay, next);
  const { atLeast, atMost } = length;
  return (
    <span title={`at least ${durationText(atLeast)}, at most ${durationText(atMost)}`}>
      {durationText((atLeast + atMost) / 2)}
      <span class="doubt"> ± {durationText((atMost - atLeast) / 2)}</span>
      {own !== null && <div class="muted small">PolyAI: {durationText(own)}</div>}
    </span>
  );
}
