import type { TestDatabase } from './database.ts';

/** What Postgres says, instead of doing it, to whoever updates a call. */
export interface FaultyCalls {
  /** From now on it is this SQLSTATE. `when` is a condition in SQL; without one it is of every call. */
  fail(sqlState: string, when?: string): Promise<void>;
  /** From now on a call where the condition holds is left as it is, without a word. */
  leaveOut(when: string): Promise<void>;
  heal(): Promise<void>;
}

/** A trigger stands for what cannot be brought about in a test: a full disk, a broken page, a failover. */
export function faultyCalls({ query }: Pick<TestDatabase, 'query'>): FaultyCalls {
  async function heal(): Promise<void> {
    await query('drop trigger if exists fault on polykeep_internal.calls');
  }
  async function begin(when: string, then: string): Promise<void> {
    await heal();
    await query(
      `create or replace function fault() returns trigger language plpgsql as $$
       begin
         if ${when} then ${then}; end if;
         return new;
       end $$`,
    );
    await query(
      'create trigger fault before update on polykeep_internal.calls for each row execute function fault()',
    );
  }
  return {
    fail: (sqlState, when = 'true') =>
      begin(when, `raise exception 'a fault of the test' using errcode = '${sqlState}'`),
    leaveOut: (when) => begin(when, 'return null'),
    heal,
  };
}
