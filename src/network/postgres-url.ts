import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { codeOf } from '../words.ts';
import { AddressError, ENCODING } from './address-error.ts';

/** What pg is to be told of a server, in place of the URL alone. */
export interface PostgresAddress {
  /** The URL without what is said of TLS. */
  readonly connectionString: string;
  /** false: the connection is not encrypted. */
  readonly ssl: ConnectionOptions | false;
  readonly sslnegotiation: 'direct' | 'postgres';
}

const MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;
type Mode = (typeof MODES)[number];

/** What is read here, or says to pg what it is told already. */
const OF_TLS = [
  'ssl',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'sslpassword',
  'sslnegotiation',
  'uselibpqcompat',
];
const known = new Map<string, PostgresAddress>();

/**
 * Reads a URL of Postgres, with `sslmode` as libpq means it, which is not as pg does
 * (https://www.postgresql.org/docs/current/libpq-ssl.html, https://github.com/brianc/node-postgres/issues/2009).
 * Certificates are read once: a connection that is made later does not depend on their files. Throws `AddressError`.
 */
export function postgresAddressOf(url: string): PostgresAddress {
  const address = known.get(url) ?? read(url);
  known.set(url, address);
  return address;
}

function read(url: string): PostgresAddress {
  if (!/^postgres(ql)?:\/\//.test(url)) throw new AddressError('must be a postgres:// or postgresql:// URL');
  const [base = '', query = ''] = splitAt(url, '?');
  const parameters = new URLSearchParams(query);
  const host = parameters.get('host') ?? base.replace(/^\w+:\/\/(?:.*@)?([^/]*).*$/, '$1');
  refuseSeveral(host);
  if (base.includes('#') || !isUrl(base)) throw new AddressError(`is no URL: ${ENCODING}`);
  const ofTls = new Map(OF_TLS.map((name) => [name, parameters.get(name)]));
  for (const name of OF_TLS) parameters.delete(name);
  const others = parameters.toString();
  return {
    connectionString: others === '' ? base : `${base}?${others}`,
    // As with libpq, nothing of it is for a socket of this machine.
    ssl: host.startsWith('/') || /^%2f/i.test(host) ? false : tlsOf(ofTls),
    sslnegotiation: ofTls.get('sslnegotiation') === 'direct' ? 'direct' : 'postgres',
  };
}

function refuseSeveral(host: string): void {
  if (!host.includes(',')) return;
  throw new AddressError(
    'names several hosts, of which only one can be used: give one address that always leads to the primary, ' +
      'as a pooler, a load balancer or a DNS name does',
  );
}

/** Without a host there is no place for a user in a URL; pg takes it all the same, for a socket. */
function isUrl(base: string): boolean {
  return URL.canParse(base) || URL.canParse(base.replace('@/', '@host/'));
}

function tlsOf(given: ReadonlyMap<string, string | null>): PostgresAddress['ssl'] {
  const mode = modeOf(given);
  if (mode === 'disable') return false;
  const file = (name: string) => contentOf(name, given.get(name) ?? null);
  const rootCert = given.get('sslrootcert');
  const ca = rootCert === 'system' ? null : file('sslrootcert');
  const [cert, key, passphrase] = [file('sslcert'), file('sslkey'), given.get('sslpassword') ?? null];
  return {
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
    ...(passphrase === null ? {} : { passphrase }),
    ...checks(mode, rootCert),
  };
}

/** What of the server's certificate is looked at. */
function checks(mode: Mode, rootCert: string | null | undefined): ConnectionOptions {
  if (mode === 'verify-full' || rootCert === 'system') return {};
  // libpq: with a root certificate `require` is as `verify-ca`.
  if (mode === 'verify-ca' || rootCert) return { checkServerIdentity: () => undefined };
  return { rejectUnauthorized: false };
}

function modeOf(given: ReadonlyMap<string, string | null>): Mode {
  const [mode, ssl] = [given.get('sslmode') ?? null, given.get('ssl') ?? null];
  if (mode === 'prefer' || mode === 'allow') {
    throw new AddressError(
      `sslmode=${mode} leaves it to the server whether anything is encrypted: write require, verify-ca or ` +
        'verify-full, or disable',
    );
  }
  const found = MODES.find((candidate) => candidate === mode);
  if (found !== undefined) return found;
  if (mode !== null) throw new AddressError(`sslmode must be one of ${MODES.join(', ')}`);
  // pg's own words for it.
  if (ssl === 'true' || ssl === '1') return 'verify-full';
  if (ssl !== null && ssl !== 'false' && ssl !== '0') throw new AddressError('ssl must be true or false');
  return given.get('sslrootcert') || given.get('sslcert') ? 'verify-full' : 'disable';
}

function contentOf(name: string, path: string | null): string | null {
  if (path === null || path === '') return null;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = codeOf(error);
    const why = code === null ? '' : ` (${code})`;
    throw new AddressError(`${name}: ${path} cannot be read${why}`);
  }
}

function splitAt(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
