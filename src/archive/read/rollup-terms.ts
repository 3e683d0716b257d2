import { dayOfQuarter as dayOf, QUARTERS_A_DAY } from '../quarters.ts';

/** A row of rollups is added to a bucket, or taken out of it. */
export interface Term {
  /** Which of the buckets. */
  index: number;
  sign: 1 | -1;
}

/** Which rows are read, by the quarter they are of or begin with, and what for. */
export interface RollupTerms {
  quarters: Map<number, Term[]>;
  days: Map<number, Term[]>;
}

/**
 * The rows of rollups that buckets are summed up from. `cuts` are the quarters, as numbers since 1970, between which the
 * buckets lie: that of number `index` from `cuts[index]` to `cuts[index + 1]`. Whole days are read as such; where a
 * bucket begins or ends within a day of UTC, the smaller part of that day is read, and added, or taken out of the day.
 */
export function rollupTerms(cuts: readonly number[]): RollupTerms {
  const terms: RollupTerms = { quarters: new Map(), days: new Map() };
  for (const [index, from] of cuts.slice(0, -1).entries()) {
    const to = cuts[index + 1] ?? from;
    addRange(terms, { index, sign: 1 }, from, to);
  }
  return terms;
}

function addRange(terms: RollupTerms, term: Term, from: number, to: number): void {
  const [firstDay, lastDay] = [dayOf(from), dayOf(to)];
  if (firstDay === lastDay) return addQuarters(terms, term, from, to);
  addDayFrom(terms, term, from);
  for (let day = dayAfter(from - 1); day < lastDay; day += QUARTERS_A_DAY) addTerm(terms.days, day, term);
  addDayUntil(terms, term, to);
}

/** The day of `from`, from there on; nothing where that is the whole day. */
function addDayFrom(terms: RollupTerms, term: Term, from: number): void {
  const [day, next] = [dayOf(from), dayAfter(from)];
  if (from === day) return;
  if (next - from <= from - day) return addQuarters(terms, term, from, next);
  addTerm(terms.days, day, term);
  addQuarters(terms, opposite(term), day, from);
}

/** The day of `to`, until there. */
function addDayUntil(terms: RollupTerms, term: Term, to: number): void {
  const [day, next] = [dayOf(to), dayAfter(to)];
  if (to - day <= next - to) return addQuarters(terms, term, day, to);
  addTerm(terms.days, day, term);
  addQuarters(terms, opposite(term), to, next);
}

function addQuarters({ quarters }: RollupTerms, term: Term, from: number, to: number): void {
  for (let quarter = from; quarter < to; quarter++) addTerm(quarters, quarter, term);
}

function addTerm(rows: Map<number, Term[]>, bucket: number, term: Term): void {
  const found = rows.get(bucket);
  if (found === undefined) rows.set(bucket, [term]);
  else found.push(term);
}

function opposite({ index, sign }: Term): Term {
  return { index, sign: sign === 1 ? -1 : 1 };
}

function dayAfter(quarter: number): number {
  return dayOf(quarter) + QUARTERS_A_DAY;
}
