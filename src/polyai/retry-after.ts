/**
 * The wait that a `Retry-After` header asks for, in milliseconds from `now` (RFC 9110 10.2.3: seconds, or a date), or
 * null where it is missing or unreadable.
 */
export function retryAfterMs(header: string | string[] | undefined, now: number): number | null {
  const value = Array.isArray(header) ? header[0] : header;
  if (value === undefined) return null;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
