/**
 * Rollups are by the quarter of an hour, since the clocks of all time zones are apart by quarters. A quarter is known by
 * its number since 1970, and a day by that of its first quarter in UTC.
 */

export const QUARTER_MS = 900_000;
export const QUARTERS_A_DAY = 96;

/** The levels of `rollups`: calls that are there and those that retention deleted, by the quarter; both, by the day. */
export const QUARTER = 0;
export const RETIRED_QUARTER = 1;
export const DAY = 2;

export function dayOfQuarter(quarter: number): number {
  return Math.floor(quarter / QUARTERS_A_DAY) * QUARTERS_A_DAY;
}
