import type { QueryConfig } from 'pg';
import { type CallState, OUTCOME_CODES, type Sighting } from '../../call/call.ts';
import type { FoldedCall } from '../../call/fold.ts';
import { payloadText } from './payload.ts';
import { unnested } from './unnest.ts';

/** The statements that write what followers report, each one round trip for any number of calls. */

/** Those of the calls that are registered, whoever has locked them. */
export function registeredAmong(callSids: readonly string[]): QueryConfig {
  const text = 'select call_sid as "callSid" from polykeep_internal.calls where call_sid = any($1::text[])';
  return { name: 'registered_among', text, values: [callSids] };
}

/** A call as it was read, and what its reports change. */
export interface ChangedCall {
  id: string;
  version: string;
  bodyForm: number | null;
  folded: FoldedCall;
  /** The number of its status after the change. */
  status: number | null;
  /** What is written of PolyAI's last body; null where the row has it already. */
  body: KeptBody | null;
}

/** A body by its form, or where it has none as a text. */
export type KeptBody = { form: number; text: null } | { form: null; text: string };

const after = ({ folded }: ChangedCall) => folded.after.state;

const UPDATED = unnested<ChangedCall>([
  ['id', 'int8', ({ id }) => id],
  ['version', 'xid', ({ version }) => version],
  ['status', 'int', ({ status }) => status],
  ['outcome', 'int2', (call) => outcomeCode(after(call))],
  ['reason', 'text', (call) => after(call).reason],
  ['created_at', 'timestamptz', (call) => after(call).createdAt],
  ['last_updated', 'timestamptz', (call) => after(call).lastUpdated],
  ['first_seen_at', 'timestamptz', (call) => after(call).firstSeenAt],
  ['last_seen_at', 'timestamptz', (call) => after(call).lastSeenAt],
  ['settled_at', 'timestamptz', (call) => after(call).settledAt],
  ['transition_count', 'int2', (call) => after(call).transitionCount],
  // What changes nothing is null, which takes nothing to send.
  ['polls', 'int', ({ folded }) => folded.polls || null],
  ['failed_polls', 'int', ({ folded }) => folded.failedPolls || null],
  ['last_error_known', 'bool', ({ folded }) => folded.lastError !== undefined || null],
  ['last_error', 'text', ({ folded }) => folded.lastError ?? null],
  ['body_known', 'bool', ({ body }) => body !== null || null],
  ['body_form', 'int2', ({ body }) => body?.form ?? null],
  ['last_body', 'text', ({ body }) => body?.text ?? null],
]);

const UPDATE_CALLS = `
with written as (
update polykeep_internal.calls c
   set status = u.status, outcome = u.outcome, reason = u.reason, created_at = u.created_at,
       last_updated = u.last_updated, first_seen_at = u.first_seen_at, last_seen_at = u.last_seen_at,
       settled_at = u.settled_at, transition_count = u.transition_count,
       polls = c.polls + coalesce(u.polls, 0), failed_polls = c.failed_polls + coalesce(u.failed_polls, 0),
       last_error = case when u.last_error_known then u.last_error else c.last_error end,
       body_form = case when u.body_known then u.body_form else c.body_form end,
       last_body = case when u.body_known then u.last_body else c.last_body end
  from ${UPDATED.sql}
 where c.id = u.id and c.xmin = u.version
returning 1)
select count(*)::int as count, pg_current_xact_id()::xid as version, date_part('epoch', clock_timestamp()) * 1000 as "atMs"
  from written`;

/** What `updateCalls` answers: how many rows it has written, of which version they are, and when that was. */
export interface Updated {
  count: number;
  version: string;
  /** Milliseconds since 1970, by Postgres' clock. */
  atMs: number;
}

/** A call that another transaction has written since it was read is left as it is. */
export function updateCalls(calls: readonly ChangedCall[]): QueryConfig {
  return { name: 'update_calls', text: UPDATE_CALLS, values: UPDATED.values(calls) };
}

/** Nobody follows these calls any more. */
export function letGo(callIds: readonly string[]): QueryConfig {
  const text = 'delete from polykeep_internal.unsettled where call_id = any($1::int8[])';
  return { name: 'let_go', text, values: [callIds] };
}

/** These calls are followed again. A promise that was left behind is as good as none: it ends, and they are swept up. */
export function followAgain(callIds: readonly string[]): QueryConfig {
  const text =
    'insert into polykeep_internal.unsettled (call_id) select unnest($1::int8[]) on conflict do nothing';
  return { name: 'follow_again', text, values: [callIds] };
}

function outcomeCode({ outcome }: CallState): number | null {
  return outcome === null ? null : OUTCOME_CODES[outcome];
}

/** A call is to be followed for so long. */
export interface Promised {
  callId: string;
  followForMs: number;
}

const PROMISED = unnested<Promised>([
  ['call_id', 'int8', ({ callId }) => callId],
  ['follow_for_ms', 'float8', ({ followForMs }) => followForMs],
]);
/** A promise that ends so little later than it is to is left as it is: most leases end with such a one. */
const SLACK = "interval '5 s'";

const PROMISE = `
with u as (
  select call_id, clock_timestamp() + follow_for_ms * interval '1 ms' as until from ${PROMISED.sql}
)
update polykeep_internal.unsettled n
   set followed_until = u.until
  from u
 where n.call_id = u.call_id and n.followed_until not between u.until and u.until + ${SLACK}`;

export function promiseToFollow(promises: readonly Promised[]): QueryConfig {
  return { name: 'promise_to_follow', text: PROMISE, values: PROMISED.values(promises) };
}

/** A new transition. */
export interface AddedTransition {
  callId: string;
  seq: number;
  sighting: Sighting;
  /** The number of its status; Postgres refuses a transition without one. */
  status: number | null;
  /** How its payload is made of its columns and its call's; null where the payload is kept. */
  form: number | null;
}

const ADDED = unnested<AddedTransition>([
  ['call_id', 'int8', ({ callId }) => callId],
  ['seq', 'int2', ({ seq }) => seq],
  ['status', 'int', ({ status }) => status],
  ['reason', 'text', ({ sighting }) => sighting.reason],
  ['changed_after', 'timestamptz', ({ sighting }) => sighting.changedAfter],
  ['observed_at', 'timestamptz', ({ sighting }) => sighting.observedAt],
  ['last_updated', 'timestamptz', ({ sighting }) => sighting.lastUpdated],
  ['body_form', 'int2', ({ form }) => form],
  ['payload', 'text', ({ form, sighting }) => (form === null ? payloadText(sighting) : null)],
]);

const INSERT_TRANSITIONS = `
insert into polykeep_internal.transitions
       (call_id, seq, status, reason, changed_after, observed_at, last_updated, body_form, payload)
select call_id, seq, status, reason, changed_after, observed_at, last_updated, body_form, payload::jsonb
  from ${ADDED.sql}`;

export function insertTransitions(added: readonly AddedTransition[]): QueryConfig {
  return { name: 'insert_transitions', text: INSERT_TRANSITIONS, values: ADDED.values(added) };
}

/** What a sighting changes of the last transition of its call that was there before. */
export interface Amendment {
  callId: string;
  seq: number;
  sighting: Sighting;
}

const AMENDED = unnested<Amendment>([
  ['call_id', 'int8', ({ callId }) => callId],
  ['seq', 'int2', ({ seq }) => seq],
  ['reason', 'text', ({ sighting }) => sighting.reason],
  ['last_updated', 'timestamptz', ({ sighting }) => sighting.lastUpdated],
  ['payload', 'text', ({ sighting }) => payloadText(sighting)],
]);

const AMEND_TRANSITIONS = `
update polykeep_internal.transitions t
   set reason = u.reason, last_updated = coalesce(t.last_updated, u.last_updated), body_form = null,
       payload = u.payload::jsonb
  from ${AMENDED.sql}
 where t.call_id = u.call_id and t.seq = u.seq`;

/** A changed reason at the same status belongs to the transition that is there, and to the time it had. */
export function amendTransitions(amendments: readonly Amendment[]): QueryConfig {
  return { text: AMEND_TRANSITIONS, values: AMENDED.values(amendments) };
}
