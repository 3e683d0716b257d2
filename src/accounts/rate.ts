/** How the rate of an account changes, and what part of it a process has. Pure; rates in polls per second. */

/** What one process tells the others of an account. */
export interface RateReport {
  process: string;
  /** Another with each report. */
  seq: number;
  waiting: number;
  /** Polls in the last tick. */
  asked: number;
  /** What 429s have left of it; null where no limit but the configured one is known. */
  rate: number | null;
  /** 429s ever. */
  tooMany: number;
  /** What was left, when reported, of the hold that PolyAI asked this process for, in milliseconds. */
  holdMs: number;
}

export interface RateState {
  /** Of all processes together; Infinity: no limit. */
  rate: number;
  /** By so much the rate grows in a second. */
  step: number;
  /** Infinity: never cut. */
  sinceCutMs: number;
}

/** What happened since the state before. */
export interface RateNews {
  /** The configured limit; null: none. */
  max: number | null;
  /** A 429 here. */
  cut: boolean;
  /** A 429 elsewhere: `othersRate` shows what became of the rate. */
  othersCut: boolean;
  /** The lowest that other processes now report; null where none knows a limit. */
  othersRate: number | null;
  /** In all processes. */
  askedPerSecond: number;
  elapsedMs: number;
  /** Nobody may ask for now, so that nothing is learnt. */
  held: boolean;
}

/** An account is asked at least so often, whatever PolyAI answers: else nobody would see that it answers again. */
export const FLOOR = 0.5;
/** A 429 so soon after a cut answers what was asked before it. */
export const ECHO_MS = 2_000;
const FORGET_AFTER_MS = 60_000;
const MIN_STEP = 0.5;
const STEP_SHARE = 0.02;

export function initialState(max: number | null): RateState {
  return { rate: max ?? Number.POSITIVE_INFINITY, step: MIN_STEP, sinceCutMs: Number.POSITIVE_INFINITY };
}

/**
 * Additive increase, multiplicative decrease. Whoever gets the 429 halves the rate; the others follow to the lowest
 * rate that is reported, and all grow from there: so one 429 costs one cut, however many hear of it.
 */
export function nextState(before: RateState, news: RateNews): RateState {
  const state = aged(before, news);
  const isCut = news.cut && state.sinceCutMs >= ECHO_MS;
  const next = isCut ? cut(state, news) : grown(followed(state, news), news);
  return { ...next, rate: Math.min(Math.max(FLOOR, next.rate), news.max ?? Number.POSITIVE_INFINITY) };
}

/** The part of the rate that is this process's: as its demand (polls waiting and asked) is to that of all. */
export function shareOf(rate: number, mine: number, others: readonly number[]): number {
  const own = Math.max(1, mine);
  return (rate * own) / others.reduce((sum, demand) => sum + demand, own);
}

/** What to report as the rate: one that was never cut, or that has forgotten, is no limit for others to follow. */
export function knownRate({ rate, sinceCutMs }: RateState): number | null {
  return sinceCutMs === Number.POSITIVE_INFINITY || rate === Number.POSITIVE_INFINITY ? null : rate;
}

/** A hold teaches nothing, so that of its time only the echo's passes. */
function aged(before: RateState, { max, elapsedMs, held }: RateNews): RateState {
  const sinceCutMs = before.sinceCutMs + elapsedMs;
  if (sinceCutMs === Number.POSITIVE_INFINITY) return { ...before, rate: max ?? sinceCutMs };
  return {
    ...before,
    sinceCutMs: held ? Math.max(before.sinceCutMs, Math.min(sinceCutMs, ECHO_MS)) : sinceCutMs,
  };
}

function cut(state: RateState, { askedPerSecond, othersRate }: RateNews): RateState {
  // What was not asked for cannot have been too much.
  const base = Math.min(state.rate, Math.max(askedPerSecond, FLOOR));
  return { rate: Math.min(base / 2, othersRate ?? base), step: stepFrom(base), sinceCutMs: 0 };
}

/**
 * To the lowest rate of the others. It counts as a cut where it is the first word of a limit, or a new one; else the
 * time goes on, or two processes would keep each other from forgetting.
 */
function followed(state: RateState, { othersRate, othersCut }: RateNews): RateState {
  if (othersRate === null || othersRate >= state.rate) return state;
  const isFirstWord = state.sinceCutMs === Number.POSITIVE_INFINITY;
  if (!isFirstWord && !(othersCut && state.sinceCutMs >= ECHO_MS)) return { ...state, rate: othersRate };
  return { rate: othersRate, step: stepFrom(2 * othersRate), sinceCutMs: 0 };
}

function grown(state: RateState, { max, held, elapsedMs, askedPerSecond }: RateNews): RateState {
  if (held || state.sinceCutMs === 0) return state;
  const rate = state.rate + (state.step * elapsedMs) / 1_000;
  const isForgotten = max === null && state.sinceCutMs >= FORGET_AFTER_MS && rate > 2 * askedPerSecond;
  return { ...state, rate: isForgotten ? Number.POSITIVE_INFINITY : rate };
}

function stepFrom(base: number): number {
  return Math.max(MIN_STEP, STEP_SHARE * base);
}
