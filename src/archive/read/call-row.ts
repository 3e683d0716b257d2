import { getTableColumns, type SQL, sql } from 'drizzle-orm';
import type { Call } from '../../call/call.ts';
import { calls } from '../schema/tables.ts';
import { HISTORY, type HistoryEntry, transitionsOf } from './history.ts';

// These are for the drop-in, the sweeper and the rules of a call: none is answered with a call.
const {
  lastBody: _,
  followedUntil: __,
  reopenedAt: ___,
  transitionCount: ____,
  ...callColumns
} = getTableColumns(calls);

/** What is read of a call, as drizzle selects it; the history is added by `HISTORY`. */
export const CALL_COLUMNS = callColumns;

/** The same in SQL for pg alone, with each column under its field's name and with the history: up to the `from`. */
export const SELECT_CALLS: SQL = sql`
select ${sql.join(
  Object.entries(callColumns).map(([field, column]) => sql`${column} as ${sql.identifier(field)}`),
  sql`, `,
)}, ${HISTORY} as history
  from ${calls}`;

export type CallRow = Omit<
  typeof calls.$inferSelect,
  'lastBody' | 'followedUntil' | 'reopenedAt' | 'transitionCount'
> & {
  history: HistoryEntry[] | null;
};

export function callOf({ history, ...call }: CallRow): Call {
  return { ...call, transitions: transitionsOf(history) };
}
