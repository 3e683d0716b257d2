import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Environment } from '../config/environment.ts';
import { codeOf } from '../words.ts';
import { type ArchiveConfig, archiveUrl } from './archive-url.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/** What pg understands in a URL, and libpq does not. */
const OF_PG_ALONE = ['ssl', 'uselibpqcompat'];

/**
 * `polykeep psql`: opens psql on the archive, with its own options in `args`, and gives its exit code. Where there is no
 * psql, prints the URL to be opened by something else: with the password, since that was asked for. Throws an `Error` of
 * one plain line where there is no database.
 */
export async function psql(
  args: readonly string[],
  config: ArchiveConfig,
  environment: Variables,
): Promise<number> {
  const url = await archiveUrl(config);
  const { withoutPassword, password } = split(url);
  // Of what all users of the machine can see, the arguments of a process, the password is no part.
  const env = { ...withoutOurs(environment), ...(password === null ? {} : { PGPASSWORD: password }) };
  // Ctrl-C reaches psql too, where it ends a query and not psql.
  process.on('SIGINT', () => {});
  const child = spawn('psql', [`--dbname=${withoutPassword}`, ...args], { env, stdio: 'inherit' });
  try {
    const [code]: (number | null)[] = await once(child, 'close');
    return code ?? 1;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    console.error('polykeep: there is no psql on the PATH; the database is at');
    console.log(url);
    return 0;
  }
}

/** By text, and not as a `URL`: that refuses a user without a host, as it is for a socket. */
function split(url: string): { withoutPassword: string; password: string | null } {
  const [, scheme = '', user = '', inLogin, rest = url] =
    /^(\w+:\/\/)([^:@/?]*)(?::([^@/?]*))?(@.*)$/s.exec(url) ?? [];
  const [base = '', query = ''] = `${scheme}${user}${rest}`.split('?', 2);
  const parameters = new URLSearchParams(query);
  const inQuery = parameters.get('password');
  if (parameters.get('ssl') === 'true' && !parameters.has('sslmode'))
    parameters.set('sslmode', 'verify-full');
  for (const name of ['password', ...OF_PG_ALONE]) parameters.delete(name);
  const others = parameters.toString().replaceAll('+', '%20');
  return {
    withoutPassword: others === '' ? base : `${base}?${others}`,
    password: inQuery ?? (inLogin === undefined ? null : decodeURIComponent(inLogin)),
  };
}

/** psql can run other programs: they need no token of ours. */
function withoutOurs(environment: Variables): Variables {
  const ours = new Set(Object.keys(Environment.properties));
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !ours.has(name)));
}
