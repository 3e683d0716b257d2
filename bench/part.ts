import type { Bench } from './bench.ts';
import type { Spread } from './quantile.ts';

/** One part of the benchmark: `npm run bench -- NAME` runs it alone. */
export interface Part {
  readonly name: string;
  run(bench: Bench): Promise<Section>;
}

/** What a part has found, as `RESULTS.md` shows it and `results.json` keeps it. */
export interface Section {
  title: string;
  /** What was measured, and how: a paragraph or two above the tables. */
  text: string;
  tables: Table[];
  targets: Target[];
  /** What a reader must know of the numbers: settings that were found best, what was the bottleneck. */
  notes: string[];
  /** Bars of one chart, the longest first. */
  bars?: Bars;
  lines?: Lines;
  /** Every round as it was measured, for `results.json` alone. */
  rounds: unknown;
}

export interface Table {
  /** The first column is text, all others numbers. */
  head: string[];
  rows: (string | number)[][];
}

/** A ratio or bound that is to be reached; `wanted` as the reader sees it (`≥ 0.85`), `got` likewise. */
export interface Target {
  name: string;
  wanted: string;
  got: string;
  met: boolean;
}

export interface Bars {
  title: string;
  unit: string;
  bars: { label: string; value: number; ours: boolean }[];
}

/** Lines over the hours of a day. */
export interface Lines {
  title: string;
  unit: string;
  /** Values of the axis, from its least to its most. */
  ticks: number[];
  /** Parts of the day. */
  bands: { from: number; until: number; label: string }[];
  series: Series[];
}

export interface Series {
  label: string;
  ours: boolean;
  isFaint: boolean;
  points: [hour: number, value: number][];
}

/** A target with a number on each side; of a ratio that was measured in rounds, the median and what lies around it. */
export function atLeast(name: string, wanted: number, got: number | Spread, unit = ''): Target {
  return { name, wanted: `≥ ${wanted}${unit}`, got: shown(got, unit), met: middleOf(got) >= wanted };
}

export function atMost(name: string, wanted: number, got: number | Spread, unit = ''): Target {
  return { name, wanted: `≤ ${wanted}${unit}`, got: shown(got, unit), met: middleOf(got) <= wanted };
}

/** `0.71 (0.69 to 0.74)`; one round has no spread. */
export function shown(value: number | Spread, unit = ''): string {
  if (typeof value === 'number') return `${round(value)}${unit}`;
  const { median, least, most } = value;
  const around = least === most ? '' : ` (${round(least)} to ${round(most)})`;
  return `${round(median)}${unit}${around}`;
}

function middleOf(value: number | Spread): number {
  return typeof value === 'number' ? value : value.median;
}

/** Three digits that say something. */
export function round(value: number): number {
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}
