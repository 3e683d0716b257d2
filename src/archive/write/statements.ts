import type { QueryConfig } from 'pg';
import { type CallState, CONCLUSIONS, type Registration, type Sighting } from '../../call/call.ts';
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
  silentMs: number | null;
}

const LOCK_CALLS = `
select call_sid as "callSid", account, ${STATE.map(({ field, name }) => `${name} as "${field}"`).join(', ')},
       polls, date_part('epoch', clock_timestamp() - coalesce(reopened_at, registered_at)) * 1000 as "ageMs",
       case when last_seen_at is not null
            then greatest(0, date_part('epoch', clock_timestamp() - last_seen_at) * 1000) end as "silentMs"
  from calls
 where call_sid = any($1::text[])
 order by call_sid
   for update skip locked`;

/**
 * Locks the calls. It passes over a row that another transaction has locked, so that the writer waits for nobody: a
 * forgotten transaction that holds one call would hold up all others of the batch. Nothing of `transitions` is read
 * here: a row that was locked until a moment ago is read as it now is, but other tables as they were before.
 */
export function lockCalls(callSids: readonly string[]): QueryConfig {
  return { name: 'lock_calls', text: LOCK_CALLS, values: [callSids] };
}

/** Those of the calls that are registered, whoever has locked them. */
export function registeredAmong(callSids: readonly string[]): QueryConfig {
  const text = 'select call_sid as "callSid" from calls where call_sid = any($1::text[])';
  return { name: 'registered_among', text, values: [callSids] };
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

/** A row of what `registerCalls` changed: a call that is new, or one that was known. */
export interface RegisteredRow {
  callSid: string;
  registeredAt: Date;
  isNew: boolean;
  /** polykeep had concluded on it, and it is followed again. */
  isReopened: boolean;
}

/**
 * Of a callSid that comes twice the first one counts. A known call gets the metadata keys it lacks, and is followed again
 * where polykeep had concluded on it; where neither changes anything its row is not written. `xmax` is 0 in a row that
 * this statement inserted.
 */
const REGISTER_CALLS = `
insert into calls as c (call_sid, account, metadata)
select distinct on (u.call_sid) u.call_sid, u.account, u.metadata::jsonb
  from unnest($1::text[], $2::text[], $3::text[]) with ordinality as u(call_sid, account, metadata, ordinal)
 order by u.call_sid, u.ordinal
    on conflict (call_sid) do update
   set metadata = excluded.metadata || c.metadata,
       outcome = case when c.outcome = any($4::text[]) then null else c.outcome end,
       settled_at = case when c.outcome = any($4::text[]) then null else c.settled_at end,
       reopened_at = case when c.outcome = any($4::text[]) then now() else c.reopened_at end,
       followed_until = case when c.outcome = any($4::text[]) then now() else c.followed_until end
 where c.outcome = any($4::text[]) or not c.metadata @> excluded.metadata and excluded.metadata || c.metadata <> c.metadata
returning call_sid as "callSid", registered_at as "registeredAt", xmax = 0 as "isNew",
          xmax <> 0 and reopened_at is not distinct from now()::timestamptz(3) as "isReopened"`;

/** Gives those that are new, and the known ones that it changed. */
export function registerCalls(registrations: readonly Registration[]): QueryConfig {
  const values = [
    registrations.map(({ callSid }) => callSid),
    registrations.map(({ account }) => account),
    registrations.map(({ metadata }) => JSON.stringify(metadata)),
    CONCLUSIONS,
  ];
  return { name: 'register_calls', text: REGISTER_CALLS, values };
}
