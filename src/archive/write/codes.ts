/** The first time that a text such as the name of an account comes, it gets its number in the statement that writes it. */

/**
 * A CTE `added` that gives those of the texts their numbers which have none, for `codeJoins`. `texts` is a query of one
 * column `name`. Two transactions may add the same at once: the second waits, and gets the number of the first.
 */
export function addedCodes(table: string, texts: string): string {
  return `added as (
  insert into polykeep_internal.${table} as known (name)
  select distinct texts.name from (${texts}) as texts(name)
   where texts.name is not null
     and not exists (select from polykeep_internal.${table} k where k.name = texts.name)
   order by 1
      on conflict (name) do update set name = known.name
  returning id, name)`;
}

/** Joins that give the number of a text as `CODE`, in a statement that has the CTE of `addedCodes`. */
export function codeJoins(table: string, text: string): string {
  return `left join polykeep_internal.${table} known on known.name = ${text}
  left join added on added.name = ${text}`;
}

export const CODE = 'coalesce(known.id, added.id)';
