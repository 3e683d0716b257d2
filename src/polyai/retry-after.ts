/**
 * The wait that a `Retry-After` header asks for, in milliseconds from `now` (RFC 9110 10.2.3: seconds, or a date), or
 * null where it is missing or unreadable.
 */
export function retryAfterMs(header: string | null, now: number): number | null {
  if (header === null) return null;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
