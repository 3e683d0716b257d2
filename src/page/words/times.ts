/** Times as the reader's locale and clock have them. */

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  hour: 'numeric',
  minute: '2-digit',
  second: '2-digit',
});
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** The browser's own, e.g. `Europe/London`. */
export const OWN_ZONE = new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Without what goes without saying: today's date, this year. */
export function timeText(time: Date): string {
  const now = new Date();
  if (time.toDateString() === now.toDateString()) return TIME.format(time);
  return (time.getFullYear() === now.getFullYear() ? DAY_AND_TIME : FULL).format(time);
}

export function clockText(time: Date): string {
  return TIME.format(time);
}

/** As the API has it, for whoever compares it with a log. */
export function utcText(time: Date): string {
  return `${time.toISOString().replace('T', ' ').replace('Z', '')} UTC`;
}

const unit = (name: string, maximumFractionDigits = 0) =>
  new Intl.NumberFormat(undefined, {
    style: 'unit',
    unit: name,
    unitDisplay: 'narrow',
    maximumFractionDigits,
  });
const SECONDS = unit('second', 1);
const UNITS = { second: unit('second'), minute: unit('minute'), hour: unit('hour'), day: unit('day') };

/** Two units at most: `3.4s`, `2m 5s`, `1h 12m`, `3d 2h`. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 59.5)
    return SECONDS.format(seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds));
  const whole = Math.round(seconds);
  if (whole < 3_600) return pair(Math.floor(whole / 60), UNITS.minute, whole % 60, UNITS.second);
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return pair(Math.floor(minutes / 60), UNITS.hour, minutes % 60, UNITS.minute);
  const hours = Math.round(seconds / 3_600);
  return pair(Math.floor(hours / 24), UNITS.day, hours % 24, UNITS.hour);
}

function pair(
  large: number,
  largeUnit: Intl.NumberFormat,
  small: number,
  smallUnit: Intl.NumberFormat,
): string {
  return small === 0 ? largeUnit.format(large) : `${largeUnit.format(large)} ${smallUnit.format(small)}`;
}

/** What `<input type="datetime-local">` takes: the reader's own clock. */
export function localInput(time: Date): string {
  const local = new Date(time.getTime() - time.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}
