import { and, desc, eq, isNotNull, isNull, or, type SQL, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { Call, LastAnswer } from '../../call/call.ts';
import { batched } from '../batch.ts';
import { answering } from '../database.ts';
import { calls } from '../schema/tables.ts';
import { type CallFilter, conditions, registeredWithin } from './call-filter.ts';
import { CALL_COLUMNS, callOf } from './call-row.ts';
import type { Position } from './cursors.ts';
import { HISTORY } from './history.ts';

/** All throw `ArchiveUnavailableError` where Postgres is away. */
export interface ArchiveReader {
  /** One call with its history, or null where it was never registered. */
  readCall(callSid: string): Promise<Call | null>;
  /** As `readCall`, for many at once: what is asked for within a few milliseconds is read together. */
  readCallBatched(callSid: string): Promise<Call | null>;
  /** Those of the calls that are settled, or not there. */
  settledAmong(callSids: readonly string[]): Promise<string[]>;
  /** What PolyAI last said of a call, or null where it was never registered. */
  readLastAnswer(callSid: string): Promise<LastAnswer | null>;
  /** Calls with their histories, newest registration first, from after the given position on. */
  listCalls(filter: CallFilter, limit: number, after: Position | null): Promise<Call[]>;
}

/**
 * How many of the newest calls a page by metadata looks through first. Postgres reads them in some 10 ms, and they fill
 * a page of 100 where one call in 200 matches.
 */
const NEWEST_WALKED = 20_000;

export function createReader(orm: NodePgDatabase, { newestWalked = NEWEST_WALKED } = {}): ArchiveReader {
  const chosen = (where?: SQL) => orm.select(CALL_COLUMNS).from(calls).where(where).$dynamic();

  /** One statement, so that each call and its transitions are of one moment. */
  const withHistory = (where: SQL | undefined, from = chosen()) =>
    orm
      .select({ ...CALL_COLUMNS, history: HISTORY })
      .from(from.as('calls'))
      .where(where)
      .$dynamic();

  async function page(
    where: SQL | undefined,
    limit: number,
    from?: ReturnType<typeof chosen>,
  ): Promise<Call[]> {
    const newestFirst = withHistory(where, from).orderBy(desc(calls.registeredAt), desc(calls.callSid));
    return (await answering(newestFirst.limit(limit).execute())).map(callOf);
  }

  /**
   * Postgres assumes that the matches are spread evenly over time, and so would walk back from the newest call until
   * the page is full. For a campaign that ended long ago it would walk through every call since. Here the first
   * statement looks through the newest calls alone. Where they do not fill the page, the second one finds all matches
   * by the index of metadata and then sorts them. Its limit, which no archive reaches, has Postgres plan the search
   * without regard to the order; with regard to it, it would choose the long walk again.
   */
  async function listByMetadata(filter: CallFilter, limit: number, after: Position | null): Promise<Call[]> {
    const newest = chosen(and(...registeredWithin(filter), beyond(after)))
      .orderBy(desc(calls.registeredAt), desc(calls.callSid))
      .limit(newestWalked);
    const found = await page(and(...conditions(filter)), limit, newest);
    if (found.length === limit) return found;
    const matches = chosen(and(...conditions(filter), beyond(after))).limit(Number.MAX_SAFE_INTEGER);
    return page(undefined, limit, matches);
  }

  // Drizzle builds it once, and each connection plans it once: a call is read in 0.1 ms, without that in 0.5 ms.
  const oneCall = withHistory(eq(calls.callSid, sql.placeholder('callSid'))).prepare('read_call');

  async function readCalls(callSids: readonly string[]): Promise<(Call | null)[]> {
    const found = withHistory(sql`${calls.callSid} = any(${sql.param(callSids)}::text[])`);
    const byId = new Map((await answering(found.execute())).map((row) => [row.callSid, callOf(row)]));
    return callSids.map((callSid) => byId.get(callSid) ?? null);
  }

  return {
    async readCall(callSid) {
      const [row] = await answering(oneCall.execute({ callSid }));
      return row === undefined ? null : callOf(row);
    },
    readCallBatched: batched(readCalls),
    async settledAmong(callSids) {
      const asked = sql`unnest(${sql.param(callSids)}::text[]) as asked(call_sid)`;
      const settled = orm
        .select({ callSid: sql<string>`asked.call_sid` })
        .from(asked)
        .leftJoin(calls, sql`${calls.callSid} = asked.call_sid`)
        .where(or(isNull(calls.callSid), isNotNull(calls.settledAt)));
      return (await answering(settled.execute())).map(({ callSid }) => callSid);
    },
    async readLastAnswer(callSid) {
      const { account, lastBody: body, lastSeenAt: observedAt } = calls;
      const found = orm.select({ account, body, observedAt }).from(calls).where(eq(calls.callSid, callSid));
      const [answer] = await answering(found.execute());
      return answer ?? null;
    },
    listCalls: (filter, limit, after) =>
      filter.metadata === undefined
        ? page(and(...conditions(filter), beyond(after)), limit)
        : listByMetadata(filter, limit, after),
  };
}

function beyond(position: Position | null): SQL | undefined {
  if (position === null) return undefined;
  const { registeredAt, callSid } = position;
  return sql`(${calls.registeredAt}, ${calls.callSid}) < (${registeredAt.toISOString()}::timestamptz, ${callSid})`;
}
