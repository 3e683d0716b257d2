import type { TestDatabase } from './database.ts';

/** What Postgres says, instead of doing it, to whoever updates a call. */
export interface FaultyCalls {
  /** From now on it is this SQLSTATE. `when` is a condition in SQL; without one it is of every call. */
  fail(sqlState: string, when?: string): Promise<void>;
  heal(): Promise<void>;
}

/** A trigger stands for what cannot be brought about in a test: a full disk, a broken page, a failover. */
export function faultyCalls({ query }: Pick<TestDatabase, 'query'>): FaultyCalls {
  async function heal(): Promise<void> {
    await query('drop trigger if exists fault on polykeep_internal.calls');
  }
  return {
    async fail(sqlState, when = 'true') {
      await heal();
      await query(
        `create or replace function fault() returns trigger language plpgsql as $$
         begin
           if ${when} then raise exception 'a fault of the test' using errcode = '${sqlState}'; end if;
           return new;
         end $$`,
      );
      await query(
        'create trigger fault before update on polykeep_internal.calls for each row execute function fault()',
      );
    },
    heal,
  };
}
