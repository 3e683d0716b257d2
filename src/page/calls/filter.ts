/** The filters of the list, by their names in the address, which are those of the API. */
export const FIELDS = [
  'outcome',
  'status',
  'account',
  'reason',
  'registeredFrom',
  'registeredTo',
  'settledFrom',
  'settledTo',
] as const;
export type Field = (typeof FIELDS)[number];

const METADATA = 'metadata.';

/** What is asked for, and no more: whatever else an address has is left out. */
export function filterOf(query: URLSearchParams): URLSearchParams {
  const filter = new URLSearchParams();
  for (const [name, value] of query) {
    const isKnown = FIELDS.some((field) => field === name) || name === 'callSidPrefix' || isMetadata(name);
    if (isKnown && value !== '') filter.set(name, value);
  }
  return filter;
}

/** What the search box would say of the address. */
export function searchTextOf(query: URLSearchParams): string {
  const prefix = query.get('callSidPrefix');
  if (prefix !== null) return prefix;
  return [...query]
    .filter(([name]) => isMetadata(name))
    .map(([name, value]) => `${name.slice(METADATA.length)}:${/\s/.test(value) ? `"${value}"` : value}`)
    .join(' ');
}

/**
 * What somebody typed: `key:value` of the metadata, several with spaces between, or a callSid or its beginning. A value
 * with a space is put in quotes.
 */
export function readSearch(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/([^\s:"]+):(?:"([^"]*)"|(\S+))/g)];
  if (pairs.length === 0) return text.trim() === '' ? {} : { callSidPrefix: text.trim() };
  return Object.fromEntries(
    pairs.map(([, key = '', quoted, plain = '']) => [METADATA + key, quoted ?? plain]),
  );
}

/** The filter with another search; the page begins anew. */
export function withSearch(filter: URLSearchParams, text: string): URLSearchParams {
  const next = new URLSearchParams([...filter].filter(([name]) => FIELDS.some((field) => field === name)));
  for (const [name, value] of Object.entries(readSearch(text))) next.set(name, value);
  return next;
}

export function withField(filter: URLSearchParams, field: string, value: string): URLSearchParams {
  const next = new URLSearchParams(filter);
  if (value === '') next.delete(field);
  else next.set(field, value);
  return next;
}

function isMetadata(name: string): boolean {
  return name.startsWith(METADATA) && name.length > METADATA.length;
}
