import { AddressError, ENCODING } from './address-error.ts';

/** A proxy that connections are made through. */
export interface ProxyServer {
  readonly hostname: string;
  readonly port: number;
  /** Whether the proxy itself is spoken to over TLS. */
  readonly isTls: boolean;
  /** The header by which it knows us, or null; secret. */
  readonly authorization: string | null;
}

/** As the environment has them; null: none. */
export interface ProxySettings {
  /** HTTPS_PROXY: for https:// URLs. */
  readonly https: string | null;
  /** HTTP_PROXY: for http:// URLs. */
  readonly http: string | null;
  /** NO_PROXY: what is reached without one. */
  readonly except: string | null;
}

export const NO_PROXIES: ProxySettings = { https: null, http: null, except: null };

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** The proxy by which a URL is reached; null where it is reached without one. Throws `AddressError`. */
export function proxyFor(url: string, { https, http, except }: ProxySettings): ProxyServer | null {
  const { protocol, hostname, port } = new URL(url);
  const proxy = protocol === 'https:' ? https : http;
  if (proxy === null) return null;
  const target = { hostname: unbracketed(hostname), port: Number(port) || DEFAULT_PORTS[protocol] };
  const isExcepted = (except ?? '').split(/[\s,]+/).some((entry) => fits(entry.toLowerCase(), target));
  return isExcepted ? null : readProxy(proxy);
}

/** Reads the URL of a proxy; without a scheme it is one of http. Throws `AddressError`. */
export function readProxy(text: string): ProxyServer {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(url)) throw new AddressError(`is no URL: ${ENCODING}`);
  const { protocol, hostname, port, username, password } = new URL(url);
  const defaultPort = DEFAULT_PORTS[protocol];
  if (defaultPort === undefined) throw new AddressError('must be an http:// or https:// URL of a proxy');
  return {
    hostname: unbracketed(hostname),
    port: Number(port) || defaultPort,
    isTls: protocol === 'https:',
    authorization: username === '' && password === '' ? null : basic(username, password),
  };
}

/** `*`, a host or a domain with all that is below it, each with a port or without. */
function fits(entry: string, { hostname, port }: { hostname: string; port: number | undefined }): boolean {
  if (entry === '*') return true;
  const [, host = entry, ofPort] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(entry) ?? [];
  const domain = unbracketed(host).replace(/^\*?\./, '');
  if (domain === '' || (ofPort !== undefined && Number(ofPort) !== port)) return false;
  return hostname === domain || hostname.endsWith(`.${domain}`);
}

function basic(username: string, password: string): string {
  try {
    const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${Buffer.from(login).toString('base64')}`;
  } catch {
    throw new AddressError(`is no URL: ${ENCODING}`);
  }
}

function unbracketed(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}
