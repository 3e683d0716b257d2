import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { type Client, escapeIdentifier, escapeLiteral } from 'pg';

/** The role cannot be a reader. */
class ReaderRoleError extends Error {
  override readonly name = 'ReaderRoleError';
  readonly code = 'bad_reader_role';
}

const NAME = /^[a-z_][a-z0-9_]{0,62}$/;
const SCRAM_ITERATIONS = 4_096;

/** So that a forgotten query or session of an analyst harms neither the followers nor vacuum. */
const SETTINGS = {
  statement_timeout: '5min',
  idle_in_transaction_session_timeout: '1min',
  default_transaction_read_only: 'on',
  search_path: 'polykeep',
};
const CONNECTIONS = 10;

/** Whatever else the role may do, or have done, it would go on doing as a reader. */
const FAULTS_OF_ROLE = `
select case
         when rolsuper then 'is a superuser'
         when rolcreaterole or rolcreatedb or rolreplication or rolbypassrls then 'may manage the server'
         when exists (select from pg_auth_members where member = r.oid) then 'is a member of other roles'
         when exists (select from pg_shdepend
                       where refclassid = 'pg_authid'::regclass and refobjid = r.oid and deptype = 'o')
           then 'owns things'
         when exists (select from pg_shdepend d
                       where refclassid = 'pg_authid'::regclass and refobjid = r.oid and deptype = 'a'
                         and (dbid <> (select oid from pg_database where datname = current_database())
                              or classid not in ('pg_class'::regclass, 'pg_namespace'::regclass,
                                                 'pg_default_acl'::regclass)
                              or classid = 'pg_namespace'::regclass and objid <> 'polykeep'::regnamespace
                              or classid = 'pg_class'::regclass
                                 and objid not in (select oid from pg_class
                                                    where relnamespace = 'polykeep'::regnamespace)))
           then 'has rights on other things'
       end as fault
  from pg_roles r
 where rolname = $1`;

/**
 * Makes the role, or gives the one that is there a new password; gives the password. It may log in and select from
 * the schema polykeep, also from views that come later. Throws `ReaderRoleError` for a name that is none, and for a
 * role that may do more.
 */
export async function makeReaderRole(client: Client, name: string): Promise<string> {
  if (!NAME.test(name) || name.startsWith('pg_')) {
    throw new ReaderRoleError(
      `${JSON.stringify(name)} is no name for a reader: lower-case letters, digits and _, 63 at most, not pg_…`,
    );
  }
  const password = randomBytes(24).toString('base64url');
  await client.query('begin');
  try {
    const { rows } = await client.query<{ fault: string | null }>(FAULTS_OF_ROLE, [name]);
    const [found] = rows;
    if (typeof found?.fault === 'string') {
      throw new ReaderRoleError(`the role ${name} ${found.fault}: choose another name`);
    }
    for (const statement of statements(name, password, found !== undefined)) await client.query(statement);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
  return password;
}

function statements(name: string, password: string, exists: boolean): string[] {
  const role = escapeIdentifier(name);
  const verifier = escapeLiteral(scramVerifier(password));
  return [
    `${exists ? 'alter' : 'create'} role ${role} login connection limit ${CONNECTIONS} password ${verifier}`,
    ...Object.entries(SETTINGS).map(
      ([setting, value]) => `alter role ${role} set ${setting} = ${escapeLiteral(value)}`,
    ),
    `grant usage on schema polykeep to ${role}`,
    `grant select on all tables in schema polykeep to ${role}`,
    `alter default privileges in schema polykeep grant select on tables to ${role}`,
  ];
}

/** What Postgres keeps of a password (RFC 5803): the password itself would stand in the server's log. */
function scramVerifier(password: string): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, 32, 'sha256');
  const keyOf = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  const serverKey = keyOf('Server Key').toString('base64');
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
