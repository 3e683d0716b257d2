import type { QueryConfig } from 'pg';
import type { CallState, Registration, Sighting } from '../../call/call.ts';
import type { FoldedCall } from '../../call/fold.ts';
import { calls, STATE_COLUMNS } from '../schema/tables.ts';
import { type SentColumn, unnested } from './unnest.ts';

/** The statements that write calls, each one round trip for any number of rows. */

const STATE = STATE_COLUMNS.map((field) => ({
  field,
  name: calls[field].name,
  type: calls[field].getSQLType(),
}));

/** A call's row as `lockCalls` gives it: the state beside what else a follower needs. */
export interface LockedRow extends Pick<CallState, (typeof STATE_COLUMNS)[number]> {
  callSid: string;
  account: string;
  polls: number;
  ageMs: number;
}

const LOCK_CALLS = `
select call_sid as "callSid", account, ${STATE.map(({ field, name }) => `${name} as "${field}"`).join(', ')},
       polls, date_part('epoch', clock_timestamp() - registered_at) * 1000 as "ageMs"
  from calls
 where call_sid = any($1::text[])
 order by call_sid
   for update`;

/**
 * Locks the calls in one order for all, so that two batches never wait for each other in a ring. Nothing of
 * `transitions` is read here: after a wait for the lock this statement still has its old snapshot of other tables.
 */
export function lockCalls(callSids: readonly string[]): QueryConfig {
  return { name: 'lock_calls', text: LOCK_CALLS, values: [callSids] };
}

const UPDATED = unnested<FoldedCall>([
  ['call_sid', 'text', (call) => call.callSid],
  ...STATE.map(
    ({ field, name, type }): SentColumn<FoldedCall> => [name, type, (call) => call.after.state[field]],
  ),
  ['polls', 'int', (call) => call.polls],
  ['failed_polls', 'int', (call) => call.failedPolls],
  ['last_error_known', 'bool', (call) => call.lastError !== undefined],
  ['last_error', 'text', (call) => call.lastError ?? null],
  ['last_body', 'text', (call) => call.lastBody ?? null],
  ['follow_for_ms', 'float8', (call) => call.followForMs ?? null],
]);

const UPDATE_CALLS = `
update calls c
   set ${STATE.map(({ name }) => `${name} = u.${name}`).join(', ')},
       polls = c.polls + u.polls, failed_polls = c.failed_polls + u.failed_polls,
       last_error = case when u.last_error_known then u.last_error else c.last_error end,
       last_body = coalesce(u.last_body, c.last_body),
       followed_until = coalesce(clock_timestamp() + u.follow_for_ms * interval '1 ms', c.followed_until)
  from ${UPDATED.sql}
 where c.call_sid = u.call_sid`;

export function updateCalls(calls: readonly FoldedCall[]): QueryConfig {
  return { name: 'update_calls', text: UPDATE_CALLS, values: UPDATED.values(calls) };
}

/** A new transition. `ordinal` counts those of its call in this batch, from 1. */
interface AddedTransition {
  callSid: string;
  ordinal: number;
  sighting: Sighting;
}

const ADDED = unnested<AddedTransition>([
  ['call_sid', 'text', ({ callSid }) => callSid],
  ['ordinal', 'int', ({ ordinal }) => ordinal],
  ['status', 'text', ({ sighting }) => sighting.status],
  ['reason', 'text', ({ sighting }) => sighting.reason],
  ['changed_after', 'timestamptz', ({ sighting }) => sighting.changedAfter],
  ['observed_at', 'timestamptz', ({ sighting }) => sighting.observedAt],
  ['last_updated', 'timestamptz', ({ sighting }) => sighting.lastUpdated],
  ['payload', 'text', ({ sighting }) => JSON.stringify(sighting.payload)],
]);

const INSERT_TRANSITIONS = `
insert into transitions (call_sid, seq, status, reason, changed_after, observed_at, last_updated, payload)
select u.call_sid,
       u.ordinal + coalesce((select max(t.seq) from transitions t where t.call_sid = u.call_sid), 0),
       u.status, u.reason, u.changed_after, u.observed_at, u.last_updated, u.payload::jsonb
  from ${ADDED.sql}`;

export function insertTransitions(added: readonly AddedTransition[]): QueryConfig {
  return { name: 'insert_transitions', text: INSERT_TRANSITIONS, values: ADDED.values(added) };
}

/** What a sighting changes of the last transition of its call that was there before. */
interface Amendment {
  callSid: string;
  sighting: Sighting;
}

const AMENDED = unnested<Amendment>([
  ['call_sid', 'text', ({ callSid }) => callSid],
  ['reason', 'text', ({ sighting }) => sighting.reason],
  ['last_updated', 'timestamptz', ({ sighting }) => sighting.lastUpdated],
  ['payload', 'text', ({ sighting }) => JSON.stringify(sighting.payload)],
]);

const AMEND_LAST_TRANSITIONS = `
update transitions t
   set reason = u.reason, last_updated = coalesce(t.last_updated, u.last_updated), payload = u.payload::jsonb
  from ${AMENDED.sql}
 where t.call_sid = u.call_sid
   and t.seq = (select max(l.seq) from transitions l where l.call_sid = u.call_sid)`;

/** A changed reason at the same status belongs to the transition that is there, and to the time it had. */
export function amendLastTransitions(amendments: readonly Amendment[]): QueryConfig {
  return { text: AMEND_LAST_TRANSITIONS, values: AMENDED.values(amendments) };
}

/** Of a callSid that comes twice the first one counts. */
const REGISTER_CALLS = `
insert into calls (call_sid, account, metadata)
select u.call_sid, u.account, u.metadata::jsonb
  from unnest($1::text[], $2::text[], $3::text[]) with ordinality as u(call_sid, account, metadata, ordinal)
 order by u.call_sid, u.ordinal
    on conflict (call_sid) do nothing
returning call_sid as "callSid", registered_at as "registeredAt"`;

/** Gives those that were not there before. */
export function registerCalls(registrations: readonly Registration[]): QueryConfig {
  const values = [
    registrations.map(({ callSid }) => callSid),
    registrations.map(({ account }) => account),
    registrations.map(({ metadata }) => JSON.stringify(metadata)),
  ];
  return { name: 'register_calls', text: REGISTER_CALLS, values };
}
