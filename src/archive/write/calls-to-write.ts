import type { PoolClient } from 'pg';
import { type FollowedCall, OUTCOME_CODES, OUTCOMES } from '../../call/call.ts';
import { keptByConnection } from './kept-by-connection.ts';

/** A call's row, as it is to be written: the call beside what else the writer needs. */
export interface CallToWrite {
  /** `bigint`, as text. */
  id: string;
  /** The transaction that wrote the row: another one where the row was written since. */
  version: string;
  bodyForm: number | null;
  call: FollowedCall;
}

/** With numbers in the place of names, and milliseconds since 1970 in the place of times. */
type Row = [
  id: string,
  version: string,
  callSid: string,
  account: number,
  status: number | null,
  outcome: number | null,
  reason: string | null,
  createdAt: string | null,
  lastUpdated: string | null,
  firstSeenAt: string | null,
  lastSeenAt: string | null,
  settledAt: string | null,
  transitionCount: number,
  polls: number,
  bodyForm: number | null,
  ageMs: number,
  silentMs: number | null,
];

/** pg reads the text of a time in ten times the time of a number. */
const inMs = (time: string) => `(date_part('epoch', ${time}) * 1000)::int8`;

const READ_CALLS = `
select c.id, c.xmin, c.call_sid, c.account, c.status, c.outcome, c.reason, ${inMs('c.created_at')},
       ${inMs('c.last_updated')}, ${inMs('c.first_seen_at')}, ${inMs('c.last_seen_at')}, ${inMs('c.settled_at')},
       c.transition_count, c.polls, c.body_form,
       date_part('epoch', clock_timestamp() - coalesce(c.reopened_at, c.registered_at)) * 1000,
       case when c.last_seen_at is not null
            then greatest(0, date_part('epoch', clock_timestamp() - c.last_seen_at) * 1000) end
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
  const { rows } = await client.query<Row>({ name, text, values: [callSids], rowMode: 'array' });
  if (rows.length === 0) return [];
  const nameOf = await namesOf(client, rows);
  return rows.map((row) => callToWrite(row, nameOf));
}

type NameOf = (kind: 'account' | 'status', id: number) => string;

function callToWrite(row: Row, nameOf: NameOf): CallToWrite {
  const [
    id,
    version,
    callSid,
    account,
    status,
    outcome,
    reason,
    createdAt,
    lastUpdated,
    firstSeenAt,
    lastSeenAt,
    settledAt,
    transitionCount,
    polls,
    bodyForm,
    ageMs,
    silentMs,
  ] = row;
  const state = {
    status: status === null ? null : nameOf('status', status),
    outcome: outcome === null ? null : (OUTCOMES.find((name) => OUTCOME_CODES[name] === outcome) ?? null),
    reason,
    createdAt: timeOf(createdAt),
    lastUpdated: timeOf(lastUpdated),
    firstSeenAt: timeOf(firstSeenAt),
    lastSeenAt: timeOf(lastSeenAt),
    settledAt: timeOf(settledAt),
    transitionCount,
  };
  const call = { callSid, account: nameOf('account', account), state, ageMs, silentMs, polls };
  return { id, version, bodyForm, call };
}

const timeOf = (ms: string | null) => (ms === null ? null : new Date(Number(ms)));

const accountsKnownTo = keptByConnection<number, string>();
const statusesKnownTo = keptByConnection<number, string>();

async function namesOf(client: PoolClient, rows: readonly Row[]): Promise<NameOf> {
  const names = { account: accountsKnownTo(client), status: statusesKnownTo(client) };
  const accounts = new Set<number>();
  const statuses = new Set<number>();
  for (const [, , , account, status] of rows) {
    if (!names.account.has(account)) accounts.add(account);
    if (status !== null && !names.status.has(status)) statuses.add(status);
  }
  if (accounts.size + statuses.size > 0) {
    const query = { name: 'names_of_codes', text: NAMES, values: [[...accounts], [...statuses]] };
    const found = await client.query<{ kind: 'account' | 'status'; id: number; name: string }>(query);
    for (const { kind, id, name } of found.rows) names[kind].set(id, name);
  }
  return (kind, id) => {
    const name = names[kind].get(id);
    if (name === undefined)
      throw new Error(`the archive has no ${kind} of number ${id}: its row was deleted`);
    return name;
  };
}
