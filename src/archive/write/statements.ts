/** SQL of the writer, one round trip each for any number of rows. */

/**
 * Locks the calls in one order for all, so that two batches never wait for each other in a ring. Nothing of
 * `transitions` is read here: after a wait for the lock this statement still has its old snapshot of other tables.
 */
export const LOCK_CALLS = `
select call_sid, account, status, outcome, reason, created_at, last_updated, first_seen_at, last_seen_at, settled_at,
       polls, date_part('epoch', clock_timestamp() - registered_at) * 1000 as age_ms
  from calls
 where call_sid = any($1::text[])
 order by call_sid
   for update`;

export const UPDATE_CALLS = `
update calls c
   set status = u.status, outcome = u.outcome, reason = u.reason, created_at = u.created_at,
       last_updated = u.last_updated, first_seen_at = u.first_seen_at, last_seen_at = u.last_seen_at,
       settled_at = u.settled_at, polls = c.polls + u.polls, failed_polls = c.failed_polls + u.failed_polls,
       last_error = case when u.last_error_known then u.last_error else c.last_error end,
       last_body = coalesce(u.last_body, c.last_body),
       followed_until = coalesce(clock_timestamp() + u.follow_for_ms * interval '1 ms', c.followed_until)
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[],
              $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::int[], $11::int[], $12::bool[],
              $13::text[], $14::float8[], $15::text[])
       as u(call_sid, status, outcome, reason, created_at, last_updated, first_seen_at, last_seen_at, settled_at,
            polls, failed_polls, last_error_known, last_error, follow_for_ms, last_body)
 where c.call_sid = u.call_sid`;

/** `ordinal` counts a call's new transitions within this batch from 1. */
export const INSERT_TRANSITIONS = `
insert into transitions (call_sid, seq, status, reason, changed_after, observed_at, last_updated, payload)
select u.call_sid,
       u.ordinal + coalesce((select max(t.seq) from transitions t where t.call_sid = u.call_sid), 0),
       u.status, u.reason, u.changed_after, u.observed_at, u.last_updated, u.payload::jsonb
  from unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[],
              $7::timestamptz[], $8::text[])
       as u(call_sid, ordinal, status, reason, changed_after, observed_at, last_updated, payload)`;

/** A changed reason at the same status belongs to the transition that is there, and to the time it had. */
export const AMEND_LAST_TRANSITIONS = `
update transitions t
   set reason = u.reason, last_updated = coalesce(t.last_updated, u.last_updated), payload = u.payload::jsonb
  from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) as u(call_sid, reason, last_updated, payload)
 where t.call_sid = u.call_sid
   and t.seq = (select max(l.seq) from transitions l where l.call_sid = u.call_sid)`;

/** Of a callSid that comes twice the first one counts. */
export const REGISTER_CALLS = `
insert into calls (call_sid, account, metadata)
select u.call_sid, u.account, u.metadata::jsonb
  from unnest($1::text[], $2::text[], $3::text[]) with ordinality as u(call_sid, account, metadata, ordinal)
 order by u.call_sid, u.ordinal
    on conflict (call_sid) do nothing
returning call_sid, registered_at`;
