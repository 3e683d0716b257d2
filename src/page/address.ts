import { signal } from '@preact/signals';

/**
 * Where the reader is: `#/calls?outcome=lost`. It stands behind the `#`, which a browser keeps to itself: what somebody
 * searches for (a customer's number) is in no log of a server or a proxy.
 */
export interface Address {
  /** Its parts, e.g. `['calls', 'OUT-1']`. */
  path: readonly string[];
  query: URLSearchParams;
}

export const address = signal(read());

export function followAddress(): void {
  addEventListener('hashchange', () => {
    address.value = read();
  });
}

export function hrefOf(path: readonly string[], query?: URLSearchParams | Record<string, string>): string {
  const text = new URLSearchParams(query).toString();
  return `#/${path.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`;
}

/** Goes there; `replace` leaves no step to go back to. */
export function go(href: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, '', href);
  else history.pushState(null, '', href);
  address.value = read();
}

function read(): Address {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  return {
    path: path
      .split('/')
      .filter((part) => part !== '')
      .map(decoded),
    query: new URLSearchParams(query),
  };
}

/** What somebody wrote by hand may be no encoding. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
