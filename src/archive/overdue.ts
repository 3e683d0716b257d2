import type { Pool } from 'pg';

/** One sweep at a time, whichever process does it. */
const SWEEP_LOCK = 7_066_521_391;

const UNFOLLOWED = `
select call_sid, followed_until::text as followed_until
  from calls
 where settled_at is null and followed_until < coalesce($1::timestamptz, now())
   and ($2::timestamptz is null or (followed_until, call_sid) > ($2::timestamptz, $3::text))
 order by followed_until, call_sid
 limit $4`;

export interface OverdueCalls {
  /**
   * Gives every unsettled call that nobody has promised to follow, page by page, longest forgotten first; with
   * `includeFollowed` every unsettled call. Does nothing (and returns false) while another process sweeps.
   */
  sweep(
    visit: (callSids: string[]) => Promise<void>,
    options: { includeFollowed: boolean },
  ): Promise<boolean>;
}

export function createOverdueCalls(pool: Pool, pageSize = 1_000): OverdueCalls {
  async function sweep(
    visit: (callSids: string[]) => Promise<void>,
    { includeFollowed }: { includeFollowed: boolean },
  ): Promise<boolean> {
    const client = await pool.connect();
    let locked = false;
    try {
      const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
        SWEEP_LOCK,
      ]);
      locked = rows[0]?.locked ?? false;
      if (!locked) return false;
      let last: { call_sid: string; followed_until: string } | undefined;
      do {
        const page = await client.query<{ call_sid: string; followed_until: string }>({
          name: 'unfollowed_calls',
          text: UNFOLLOWED,
          values: [
            includeFollowed ? 'infinity' : null,
            last?.followed_until ?? null,
            last?.call_sid ?? null,
            pageSize,
          ],
        });
        last = page.rows.length < pageSize ? undefined : page.rows.at(-1);
        if (page.rows.length > 0) await visit(page.rows.map((row) => row.call_sid));
      } while (last !== undefined);
      return true;
    } finally {
      // A connection that cannot say that it let go of the lock is closed, which lets go of it.
      const unlocked = !locked || (await unlock(client));
      client.release(!unlocked);
    }
  }

  async function unlock(client: {
    query(text: string, values: unknown[]): Promise<unknown>;
  }): Promise<boolean> {
    return client.query('select pg_advisory_unlock($1)', [SWEEP_LOCK]).then(
      () => true,
      () => false,
    );
  }

  return { sweep };
}
