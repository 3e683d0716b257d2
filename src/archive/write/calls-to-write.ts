import type { PoolClient } from 'pg';
import { type CallState, OUTCOME_CODES, OUTCOMES } from '../../call/call.ts';
import { keptByConnection } from './kept-by-connection.ts';

/** A call's row, as it is to be written: the state beside what else a follower, or the writer, needs. */
export interface CallToWrite extends CallState {
  /** `bigint`, as text. */
  id: string;
  /** The transaction that wrote the row: another one where the row was written since. */
  version: string;
  callSid: string;
  account: string;
  polls: number;
  failedPolls: number;
  ageMs: number;
  silentMs: number | null;
  bodyForm: number | null;
}

/** With numbers in the place of names. */
interface CodedRow extends Omit<CallToWrite, 'account' | 'status' | 'outcome'> {
  account: number;
  status: number | null;
  outcome: number | null;
}

const READ_CALLS = `
select c.id, c.xmin as version, c.call_sid as "callSid", c.account, c.status, c.outcome, c.reason,
       c.created_at as "createdAt", c.last_updated as "lastUpdated", c.first_seen_at as "firstSeenAt",
       c.last_seen_at as "lastSeenAt", c.settled_at as "settledAt", c.transition_count as "transitionCount",
       c.polls, c.failed_polls as "failedPolls", c.body_form as "bodyForm",
       date_part('epoch', clock_timestamp() - coalesce(c.reopened_at, c.registered_at)) * 1000 as "ageMs",
       case when c.last_seen_at is not null
            then greatest(0, date_part('epoch', clock_timestamp() - c.last_seen_at) * 1000) end as "silentMs"
  from polykeep_internal.calls c
 where c.call_sid = any($1::text[])`;

/**
 * Names are read by a statement of their own, after the rows: a row that was locked until a moment ago is given as it now
 * is, but what is joined with it as it was before.
 */
const NAMES = `
select 'account' as kind, id, name from polykeep_internal.accounts where id = any($1::int[])
union all
select 'status', id, name from polykeep_internal.statuses where id = any($2::int[])`;

/** For what nobody else writes meanwhile; or `version` tells. */
export function readCalls(client: PoolClient, callSids: readonly string[]): Promise<CallToWrite[]> {
  return read(client, 'read_calls_to_write', READ_CALLS, callSids);
}

/**
 * Locks the calls. It passes over a row that another transaction has locked, so that the writer waits for nobody: a
 * forgotten transaction that holds one call would hold up all others of the batch.
 */
export function lockCalls(client: PoolClient, callSids: readonly string[]): Promise<CallToWrite[]> {
  return read(client, 'lock_calls', `${READ_CALLS} for update skip locked`, callSids);
}

async function read(
  client: PoolClient,
  name: string,
  text: string,
  callSids: readonly string[],
): Promise<CallToWrite[]> {
  if (callSids.length === 0) return [];
  const { rows } = await client.query<CodedRow>({ name, text, values: [callSids] });
  if (rows.length === 0) return [];
  const nameOf = await namesOf(client, rows);
  return rows.map(({ account, status, outcome, ...row }) => ({
    ...row,
    account: nameOf('account', account),
    status: status === null ? null : nameOf('status', status),
    outcome: OUTCOMES.find((name) => OUTCOME_CODES[name] === outcome) ?? null,
  }));
}

/** By kind and number. */
const namesKnownTo = keptByConnection<string>();

async function namesOf(
  client: PoolClient,
  rows: readonly CodedRow[],
): Promise<(kind: 'account' | 'status', id: number) => string> {
  const names = namesKnownTo(client);
  const unknown = (kind: string, ids: readonly number[]) =>
    [...new Set(ids)].filter((id) => !names.has(`${kind} ${id}`));
  const accounts = unknown(
    'account',
    rows.map(({ account }) => account),
  );
  const statuses = unknown(
    'status',
    rows.flatMap(({ status }) => (status === null ? [] : [status])),
  );
  if (accounts.length + statuses.length > 0) {
    const query = { name: 'names_of_codes', text: NAMES, values: [accounts, statuses] };
    const found = await client.query<{ kind: string; id: number; name: string }>(query);
    for (const { kind, id, name } of found.rows) names.set(`${kind} ${id}`, name);
  }
  return (kind, id) => {
    const name = names.get(`${kind} ${id}`);
    if (name === undefined)
      throw new Error(`the archive has no ${kind} of number ${id}: its row was deleted`);
    return name;
  };
}
