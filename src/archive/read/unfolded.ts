import type { Pool } from 'pg';

/** What is beyond is not counted: it would take as long as what it is to warn of. */
const COUNTED_AT_MOST = 100_000;

const COUNT = `
select count(*)::int as count
  from (select from polykeep_internal.rollup_changes limit ${COUNTED_AT_MOST}) as changes`;

/** What transactions have changed of the statistics, and nobody has folded into the rollups yet. */
export interface UnfoldedChanges {
  /** How many rows, 100,000 at most. Rejects with what Postgres says. */
  read(): Promise<number>;
}

export function createUnfoldedChanges(pool: Pool): UnfoldedChanges {
  return {
    async read() {
      const { rows } = await pool.query<{ count: number }>({ name: 'unfolded_changes', text: COUNT });
      return rows[0]?.count ?? 0;
    },
  };
}
