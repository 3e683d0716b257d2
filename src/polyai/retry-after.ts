/**
 * The wait that a `Retry-After` header asks for, in milliseconds from `now`, or null where it is missing or unreadable.
 * RFC 9110 10.2.3 knows whole seconds and dates; some servers give seconds with a fraction.
 */
export function retryAfterMs(header: string | null, now: number): number | null {
  if (header === null) return null;
  if (/^\s*\d+(\.\d*)?\s*$/.test(header)) return Number(header) * 1_000;
  // What has no time of day is no date, though Date.parse makes one of a mere number.
  const date = header.includes(':') ? Date.parse(header) : Number.NaN;
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
