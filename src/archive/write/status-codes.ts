import type { PoolClient } from 'pg';
import { keptByConnection } from './kept-by-connection.ts';

/** The numbers that were found committed: nobody deletes one. */
const knownTo = keptByConnection<string, number>();

interface Row {
  id: number;
  name: string;
}

const FIND = 'select id, name from polykeep_internal.statuses where name = any($1::text[])';

/** Two transactions may add the same at once: the second waits, and gets the number of the first. */
const ADD = `
insert into polykeep_internal.statuses as known (name)
select unnest($1::text[]) as name order by name
    on conflict (name) do update set name = known.name
returning id, name`;

/**
 * The numbers of these statuses; those that have none get one, in the transaction that is open on the connection. To be
 * asked once in a transaction: what that adds may be rolled back, and is not kept here.
 */
export async function statusCodes(
  client: PoolClient,
  statuses: ReadonlySet<string>,
): Promise<ReadonlyMap<string, number>> {
  const known = knownTo(client);
  const unknown = [...statuses].filter((status) => !known.has(status));
  if (unknown.length === 0) return known;
  const { rows } = await client.query<Row>(FIND, [unknown]);
  for (const { id, name } of rows) known.set(name, id);
  const missing = unknown.filter((status) => !known.has(status));
  if (missing.length === 0) return known;
  const added = await client.query<Row>(ADD, [missing]);
  return new Map([...known, ...added.rows.map(({ id, name }) => [name, id] as const)]);
}
