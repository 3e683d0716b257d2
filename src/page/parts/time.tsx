import type { Transition } from '../polykeep/answers.ts';
import { durationText, timeText, utcText } from '../words/times.ts';

/** A time of polykeep's own clock, in the reader's zone; UTC on hover. */
export function Time({ at }: { at: string }) {
  const time = new Date(at);
  return (
    <time dateTime={at} title={utcText(time)}>
      {timeText(time)}
    </time>
  );
}

/** A change happened between two polls: its middle, and how far from it the change may have been. */
export function DoubtfulTime({
  change: { changedAfter, observedAt },
}: {
  change: Pick<Transition, 'changedAfter' | 'observedAt'>;
}) {
  const to = new Date(observedAt);
  if (changedAfter === null) {
    return (
      <time dateTime={observedAt} title={`seen at ${utcText(to)}; it may have been so before`}>
        {timeText(to)}
        <span class="doubt"> or before</span>
      </time>
    );
  }
  const from = new Date(changedAfter);
  const half = (to.getTime() - from.getTime()) / 2;
  const middle = new Date(from.getTime() + half);
  return (
    <time dateTime={observedAt} title={`after ${utcText(from)}, and no later than ${utcText(to)}`}>
      {timeText(middle)}
      <span class="doubt"> ± {durationText(half)}</span>
    </time>
  );
}
