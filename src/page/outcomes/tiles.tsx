import { Mark } from '../parts/mark.tsx';
import type { StatsRow } from '../polykeep/answers.ts';
import { changeText, countText, pointsText, shareText } from '../words/numbers.ts';
import type { Meaning } from '../words/outcomes.ts';
import { type Sum, sumOf } from './sums.ts';

/** The period in four numbers, each beside the period before. */
export function Tiles({ now, before }: { now: readonly StatsRow[]; before: readonly StatsRow[] }) {
  const present = sumOf(now);
  const past = sumOf(before);
  return (
    <dl class="tiles">
      <Tile name="Calls" value={countText(present.calls)} note={changeOf(present.calls, past.calls)} />
      <Tile
        name="Success rate"
        meaning="success"
        value={present.successRate === null ? '–' : shareText(present.successRate)}
        note={rateChange(present, past)}
      />
      <Tile
        name="Failure"
        meaning="failure"
        value={countText(present.failure)}
        note={changeOf(present.failure, past.failure)}
      />
      <Tile
        name="Concluded"
        meaning="concluded"
        value={countText(present.concluded)}
        note={changeOf(present.concluded, past.concluded)}
      />
      <Tile name="Followed" meaning="followed" value={countText(present.followed)} note="not ended yet" />
    </dl>
  );
}

function Tile({
  name,
  value,
  note,
  meaning,
}: {
  name: string;
  value: string;
  note: string;
  meaning?: Meaning;
}) {
  return (
    <div class="tile">
      <dt>
        {meaning !== undefined && <Mark meaning={meaning} />} {name}
      </dt>
      <dd class="figure">{value}</dd>
      <dd class="muted small">{note}</dd>
    </div>
  );
}

function changeOf(now: number, before: number): string {
  if (before === 0) return now === 0 ? 'none before either' : 'none in the period before';
  return `${changeText((now - before) / before)} (${countText(before)} before)`;
}

function rateChange(now: Sum, before: Sum): string {
  if (now.successRate === null || before.successRate === null) return 'nothing to compare with';
  return `${pointsText(now.successRate - before.successRate)} points (${shareText(before.successRate)} before)`;
}
