import type { Client } from 'pg';

interface Rights {
  database: string;
  role: string;
  mayCreate: boolean;
  /** Of the schema that the tables are in; null where it is not there, or is the role's own. */
  otherOwner: string | null;
}

const RIGHTS = `
select quote_ident(current_database()) as database, quote_ident(current_user) as role,
       has_database_privilege(current_database(), 'create') as "mayCreate",
       (select quote_ident(pg_get_userbyid(nspowner)) from pg_namespace
         where nspname = 'polykeep_internal' and not pg_has_role(nspowner, 'usage')) as "otherOwner"`;

/** What is to be granted so that the role can migrate; null where nothing is. */
export async function missingRight(client: Client): Promise<string | null> {
  const { rows } = await client.query<Rights>(RIGHTS);
  return rows.flatMap(helpFor)[0] ?? null;
}

function helpFor({ database, role, mayCreate, otherOwner }: Rights): string[] {
  if (otherOwner !== null) {
    return [
      `the tables are those of the role ${otherOwner}: migrate as that one, or grant ${otherOwner} to ${role}`,
    ];
  }
  return mayCreate
    ? []
    : [`polykeep makes schemas of its own in it: grant create on database ${database} to ${role}`];
}
