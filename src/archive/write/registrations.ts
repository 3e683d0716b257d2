import type { PoolClient } from 'pg';
import { CONCLUSIONS, OUTCOME_CODES, type Registration } from '../../call/call.ts';
import { MAX_METADATA_BYTES } from '../../call/limits.ts';
import { sqlState } from '../sql-states.ts';
import { addedCodes, CODE, codeJoins } from './codes.ts';
import { bytesOf } from './metadata.ts';
import { countedAnew } from './rollup-changes.ts';

/** A call that a registration made or changed. */
export interface RegisteredRow {
  callSid: string;
  registeredAt: Date;
  isNew: boolean;
  /** polykeep had concluded on it, and it is followed again. */
  isReopened: boolean;
}

/**
 * Registers calls of different callSids, in a transaction: those that are new, and then those that are known, which get
 * the metadata keys they lack, as far as there is room for all of them, and are followed again where polykeep had
 * concluded on them. Gives the new ones, and the known ones that this changes. Locks go in the order of the callSids,
 * new calls first, so that two such transactions never wait for each other. Postgres refuses it (23505,
 * `isRegisteredMeanwhile`) where another transaction has registered one of them since it began.
 */
export async function registerCalls(
  client: PoolClient,
  registrations: readonly Registration[],
): Promise<RegisteredRow[]> {
  const added = await addCalls(client, registrations);
  if (added.length === registrations.length) return added;
  const isAdded = new Set(added.map(({ callSid }) => callSid));
  return [
    ...added,
    ...(await changeKnown(
      client,
      registrations.filter(({ callSid }) => !isAdded.has(callSid)),
    )),
  ];
}

export function isRegisteredMeanwhile(error: unknown): boolean {
  return sqlState(error) === '23505';
}

/**
 * The new ones are inserted as such: what another transaction has registered meanwhile breaks the unique key. An insert
 * that looks for a conflict by itself writes each row twice to the log, and uses up a number for each call that is known.
 * A call that is new counts for no more than that it is there, so that one statement says it.
 */
const ADD_CALLS = `
with u as (
  select * from unnest($1::text[], $2::text[], $3::text[]) as given(call_sid, account, metadata)
), ${addedCodes('accounts', 'select account from u')}, registered as (
  insert into polykeep_internal.calls (call_sid, account, metadata)
  select call_sid, ${CODE}, metadata::jsonb
    from u
    ${codeJoins('accounts', 'u.account')}
   where not exists (select from polykeep_internal.calls c where c.call_sid = u.call_sid)
   order by call_sid
  returning id, call_sid, registered_at, account, metadata
), followed as (
  insert into polykeep_internal.unsettled (call_id) select id from registered
), counted as (
  insert into polykeep_internal.rollup_changes
         (bucket, account, outcome, key, value, calls, settle_ms, polls, failed_polls, sign, is_retired)
  select floor(date_part('epoch', r.registered_at) / 900)::int, r.account, 0, k.key, k.value, count(*), 0, 0, 0, 1, false
    from registered r
   cross join lateral (select 0 as key, null::text collate "C" as value
                       union all
                       select s.id, (r.metadata ->> s.name) collate "C" from polykeep_internal.stats_keys s
                        where r.id > s.high_mark or r.id <= s.filled_up_to) k
   group by 1, 2, 4, 5
)
select call_sid as "callSid", registered_at as "registeredAt", true as "isNew", false as "isReopened" from registered`;

async function addCalls(
  client: PoolClient,
  registrations: readonly Registration[],
): Promise<RegisteredRow[]> {
  const values = [
    registrations.map(({ callSid }) => callSid),
    registrations.map(({ account }) => account),
    registrations.map(({ metadata }) => JSON.stringify(metadata)),
  ];
  return (await client.query<RegisteredRow>({ name: 'add_calls', text: ADD_CALLS, values })).rows;
}

const CONCLUDED = CONCLUSIONS.map((conclusion) => OUTCOME_CODES[conclusion]);

const GIVEN = `unnest($1::text[], $2::text[]) as g(call_sid, metadata)`;
const IS_CONCLUDED = 'c.outcome = any($3::int2[])';
/** What is there goes before what is given. */
const MERGED = 'g.metadata::jsonb || c.metadata';
const IS_MERGED = `${MERGED} <> c.metadata and ${bytesOf(`(${MERGED})`)} <= $4`;

const LOCK_KNOWN = `
select c.id
  from polykeep_internal.calls c join ${GIVEN} on g.call_sid = c.call_sid
 where ${IS_CONCLUDED} or (${IS_MERGED})
 order by c.call_sid
   for update of c`;

/** Of the locked ones alone: another may have been concluded on since. */
const CHANGE_KNOWN = `
with changed as (
  update polykeep_internal.calls c
     set metadata = case when ${IS_MERGED} then ${MERGED} else c.metadata end,
         outcome = case when ${IS_CONCLUDED} then null else c.outcome end,
         settled_at = case when ${IS_CONCLUDED} then null else c.settled_at end,
         reopened_at = case when ${IS_CONCLUDED} then now() else c.reopened_at end
    from ${GIVEN}
   where c.id = any($5::int8[]) and g.call_sid = c.call_sid
  returning c.id, c.call_sid, c.registered_at, c.reopened_at is not distinct from now()::timestamptz(3) as is_reopened
), followed as (
  insert into polykeep_internal.unsettled (call_id) select id from changed where is_reopened
      on conflict do nothing
)
select call_sid as "callSid", registered_at as "registeredAt", false as "isNew", is_reopened as "isReopened"
  from changed`;

async function changeKnown(client: PoolClient, known: readonly Registration[]): Promise<RegisteredRow[]> {
  const values = [
    known.map(({ callSid }) => callSid),
    known.map(({ metadata }) => JSON.stringify(metadata)),
    CONCLUDED,
    MAX_METADATA_BYTES,
  ];
  const locked = await client.query<{ id: string }>({ name: 'lock_known', text: LOCK_KNOWN, values });
  const ids = locked.rows.map(({ id }) => id);
  if (ids.length === 0) return [];
  const changed = await countedAnew(client, ids, () =>
    client.query<RegisteredRow>({ name: 'change_known', text: CHANGE_KNOWN, values: [...values, ids] }),
  );
  return changed.rows;
}
