/**
 * Rollups are by the quarter of an hour, since the clocks of all time zones are apart by quarters. A quarter is known by
 * its number since 1970, and a day by that of its first quarter in UTC.
 */

export const QUARTER_MS = 900_000;
export const QUARTERS_A_DAY = 96;

export function dayOfQuarter(quarter: number): number {
  return Math.floor(quarter / QUARTERS_A_DAY) * QUARTERS_A_DAY;
}
