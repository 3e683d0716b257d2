import { type SQL, sql } from 'drizzle-orm';
import { type Field, number, object, text, time } from './json-text.ts';

/**
 * Calls and transitions as the API answers them, `CallJson` and `TransitionJson` of its schemas: Postgres writes them, and
 * nobody reads them before the client does.
 */

/** Of a transition `t`, its status `ts`. */
export const TRANSITION_FIELDS: readonly Field[] = [
  ['seq', number('t.seq')],
  ['status', text('ts.name')],
  ['reason', text('t.reason')],
  ['changedAfter', time('t.changed_after')],
  ['observedAt', time('t.observed_at')],
  ['lastUpdated', time('t.last_updated')],
];

const CALL = object([
  ['callSid', text('c.call_sid')],
  ['account', text('a.name')],
  ['status', text('s.name')],
  ['outcome', text('o.name')],
  ['reason', text('c.reason')],
  ['metadata', 'c.metadata::text'],
  ['registeredAt', time('c.registered_at')],
  ['createdAt', time('c.created_at')],
  ['lastUpdated', time('c.last_updated')],
  ['firstSeenAt', time('c.first_seen_at')],
  ['lastSeenAt', time('c.last_seen_at')],
  ['settledAt', time('c.settled_at')],
  ['polls', number('c.polls')],
  ['failedPolls', number('c.failed_polls')],
  ['lastError', text('c.last_error')],
  ['transitions', `'[' || coalesce(h.history, '') || ']'`],
]);

const NAMES_AND_HISTORY = `
  left join polykeep_internal.accounts a on a.id = c.account
  left join polykeep_internal.statuses s on s.id = c.status
  left join polykeep_internal.outcomes o on o.id = c.outcome
 cross join lateral (
       select string_agg(${object(TRANSITION_FIELDS)}, ',' order by t.seq) as history
         from polykeep_internal.transitions t
         left join polykeep_internal.statuses ts on ts.id = t.status
        where t.call_id = c.id) h`;

/**
 * The calls that `chosen` has rows of, in any order: each as `json`, with what else of it is read. One statement, so that
 * each is of one moment. pg takes a microsecond for each column of each row: `more` has no more than is needed.
 */
export function callRows(chosen: SQL, more = ''): SQL {
  return sql`
select ${sql.raw(`${CALL} as json${more === '' ? '' : `, ${more}`}`)}
  from (${chosen}) c ${sql.raw(NAMES_AND_HISTORY)}`;
}

/** The JSON of one call `c` as an expression, for a statement that does not need that of each. */
export const JSON_OF_CALL = `(select ${CALL} from (select) one ${NAMES_AND_HISTORY})`;

/** The order of every list. */
export const ORDER = 'order by c.registered_at desc, c.id desc';
export const NEWEST_FIRST = sql.raw(ORDER);
