import { Client, type Pool } from 'pg';
import { vi } from 'vitest';

/** The plans of all queries that the work sends over any connection, in their order, as Postgres explains them. */
export async function plansOf(pool: Pool, work: () => Promise<unknown>): Promise<string[]> {
  const sending = vi.spyOn(Client.prototype, 'query');
  await work();
  const sent: unknown[][] = sending.mock.calls;
  sending.mockRestore();
  const plans: string[] = [];
  for (const [query, given] of sent) {
    const { text, values = given } = typeof query === 'string' ? { text: query } : Object(query);
    if (!/^\s*(select|with|update|delete)\b/i.test(text)) continue;
    // What begins a session.
    if (/set_config/.test(text)) continue;
    const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`explain ${text}`, values);
    plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
  }
  return plans;
}
