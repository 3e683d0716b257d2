import { TRANSITION_FIELDS } from './call-json.ts';
import { number, object, text, time } from './json-text.ts';

/**
 * What an event tells of a call, as JSON that Postgres writes: the call as it was when it settled (`CallJson`), or a
 * transition as the feed has it. Of a call that went on since, what is known only as it is now is left at what it was at
 * most then. Counters and metadata are those of the moment of reading.
 */

const SETTLED = object([
  ['callSid', text('c.call_sid')],
  ['account', text('a.name')],
  ['status', text('l.status')],
  ['outcome', text('o.name')],
  ['reason', text('l.reason')],
  ['metadata', 'c.metadata::text'],
  ['registeredAt', time('c.registered_at')],
  ['createdAt', time('c.created_at')],
  ['lastUpdated', time('case when c.transition_count = d.seq then c.last_updated else h.last_updated end')],
  ['firstSeenAt', time('case when d.seq > 0 then c.first_seen_at end')],
  ['lastSeenAt', time('case when d.seq > 0 then least(c.last_seen_at, d.occurred_at) end')],
  ['settledAt', time('d.occurred_at')],
  ['polls', number('c.polls')],
  ['failedPolls', number('c.failed_polls')],
  ['lastError', text('case when c.settled_at = d.occurred_at then c.last_error end')],
]);

const TRANSITION = object([
  ['callSid', text('c.call_sid')],
  ['account', text('a.name')],
  ...TRANSITION_FIELDS,
]);

/**
 * For a `from` that has deliveries `d`: their events as `e.json`, and of a settlement the transitions up to it as
 * `e.history`, without brackets; null of a transition. Of a call that is gone there is no row.
 */
export const EVENTS_OF_DELIVERIES = `
 cross join lateral (
       select case when d.event = 1 then l.json else ${SETTLED} end as json,
              case when d.event = 2 then coalesce(h.history, '') end as history
         from polykeep_internal.calls c
         left join polykeep_internal.accounts a on a.id = c.account
         left join polykeep_internal.outcomes o on o.id = d.outcome
         left join lateral (
              select ts.name as status, t.reason, ${TRANSITION} as json
                from polykeep_internal.transitions t
                left join polykeep_internal.statuses ts on ts.id = t.status
               where t.call_id = d.call_id and t.seq = d.seq) l on true
        cross join lateral (
              select string_agg(${object(TRANSITION_FIELDS)}, ',' order by t.seq) as history,
                     max(t.last_updated) as last_updated
                from polykeep_internal.transitions t
                left join polykeep_internal.statuses ts on ts.id = t.status
               where d.event = 2 and t.call_id = d.call_id and t.seq <= d.seq) h
        where c.id = d.call_id) e`;
