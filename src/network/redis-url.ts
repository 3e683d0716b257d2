import { AddressError, ENCODING } from './address-error.ts';

/** One server of Redis, Valkey or Sentinel. */
interface RedisNode {
  readonly host: string;
  readonly port: number;
}

interface Login {
  readonly username?: string;
  readonly password?: string;
}

/** What a REDIS_URL leads to. */
export type RedisServers =
  /** The URL of one server says all by itself. */
  | { readonly kind: 'server'; readonly url: string }
  | {
      readonly kind: 'sentinel';
      readonly sentinels: readonly RedisNode[];
      /** What the sentinels call the servers that they watch. */
      readonly master: string;
      readonly db: number;
      /** Of the servers of Redis. */
      readonly login: Login;
      readonly sentinelPassword: string | null;
      readonly isTls: boolean;
    }
  | {
      readonly kind: 'cluster';
      readonly nodes: readonly RedisNode[];
      readonly login: Login;
      readonly isTls: boolean;
    };

const FORMS =
  'must be redis://, rediss://, redis-sentinel://HOST:PORT,HOST:PORT/MASTER or redis-cluster://HOST:PORT,HOST:PORT ' +
  '(rediss-… with TLS)';
const SEVERAL =
  /^(?<tls>rediss?)-(?<kind>sentinel|cluster):\/\/(?:(?<login>.*)@)?(?<hosts>[^@/?#]+)(?<path>\/[^?#]*)?(?:\?(?<query>[^#]*))?$/;
const HOST = /^(?:\[(?<ipv6>[0-9a-fA-F:.]+)\]|(?<name>[^[\]:\s]+))(?::(?<port>\d{1,5}))?$/;
const PORTS = { sentinel: 26_379, cluster: 6_379 };
const SENTINEL_PASSWORD = 'sentinelPassword';

/** Reads a REDIS_URL. Throws `AddressError`. */
export function redisServersOf(url: string): RedisServers {
  if (/^rediss?:/.test(url)) return oneServer(url);
  const { groups } = SEVERAL.exec(url) ?? {};
  const { tls, kind, login = '', hosts = '', path = '', query = '' } = groups ?? {};
  if (kind !== 'sentinel' && kind !== 'cluster') throw new AddressError(FORMS);
  const nodes = hosts.split(',').map((host) => nodeOf(host, PORTS[kind]));
  const common = { login: loginOf(login), isTls: tls === 'rediss' };
  const parameters = new URLSearchParams(query);
  refuseOthers(parameters, kind === 'sentinel' ? [SENTINEL_PASSWORD] : []);
  if (kind === 'cluster') {
    if (!['', '/', '/0'].includes(path))
      throw new AddressError('a cluster has the database 0 alone: leave the path out');
    return { kind, nodes, ...common };
  }
  const [, master = '', db = '0'] = /^\/([^/]+)(?:\/(\d+))?$/.exec(path) ?? [];
  if (master === '')
    throw new AddressError('names no master: redis-sentinel://HOST:PORT,HOST:PORT/MASTER[/DB]');
  const sentinelPassword = parameters.get(SENTINEL_PASSWORD);
  return { kind, sentinels: nodes, master: decoded(master), db: Number(db), sentinelPassword, ...common };
}

/** What it leads to, as people name it, without passwords. Throws `AddressError`. */
export function redisPlaceOf(url: string): string {
  const servers = redisServersOf(url);
  const listed = (nodes: readonly RedisNode[]) => nodes.map(({ host, port }) => `${host}:${port}`).join(', ');
  switch (servers.kind) {
    case 'server': {
      const { hostname, port, pathname } = new URL(servers.url);
      return hostname === '' ? `Redis at ${pathname}` : `Redis at ${hostname}:${port || PORTS.cluster}`;
    }
    case 'sentinel':
      return `Redis "${servers.master}" by the sentinels ${listed(servers.sentinels)}`;
    case 'cluster':
      return `the Redis cluster at ${listed(servers.nodes)}`;
  }
}

function oneServer(url: string): RedisServers {
  if (/^rediss?:\/\/[^/?#]*,/.test(url.replace(/\/\/.*@/, '//'))) {
    throw new AddressError('names several servers: write redis-sentinel:// or redis-cluster:// for that');
  }
  if (!URL.canParse(url)) throw new AddressError(`${FORMS}; ${ENCODING}`);
  return { kind: 'server', url };
}

function nodeOf(text: string, defaultPort: number): RedisNode {
  const { ipv6, name, port = `${defaultPort}` } = HOST.exec(text)?.groups ?? {};
  const host = ipv6 ?? name;
  if (host === undefined || Number(port) > 65_535) throw new AddressError(`${FORMS}; ${ENCODING}`);
  return { host, port: Number(port) };
}

/** `user:password`; a part that is empty is none. */
function loginOf(text: string): Login {
  const at = text.indexOf(':');
  const [username, password] = at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
  return {
    ...(username === '' ? {} : { username: decoded(username) }),
    ...(password === '' ? {} : { password: decoded(password) }),
  };
}

function refuseOthers(parameters: URLSearchParams, known: readonly string[]): void {
  for (const name of parameters.keys()) {
    if (!known.includes(name)) throw new AddressError(`has a parameter that means nothing here: ${name}`);
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AddressError(ENCODING);
  }
}
