import { createHash } from 'node:crypto';
import { type SQL, sql } from 'drizzle-orm';
import { PgDialect } from 'drizzle-orm/pg-core';
import type { Pool } from 'pg';
import { answering } from '../database.ts';
import {
  all,
  type CallFilter,
  fits,
  foundBy,
  isIndexed,
  registeredWithin,
  timestamp,
} from './call-filter.ts';
import { callRows, NEWEST_FIRST, ORDER } from './call-json.ts';
import type { Position } from './cursors.ts';

export interface CallPage {
  /** Their JSON with commas between, newest registration first. */
  json: string;
  /** The last of them, where more follow it. */
  next: Position | null;
}

/** Throws `ArchiveUnavailableError` where Postgres is away. */
export type ReadPage = (filter: CallFilter, limit: number, after: Position | null) => Promise<CallPage>;

/**
 * How many of the newest calls a page of what an index finds looks through first. Postgres reads them in some 10 ms, and
 * they fill a page of 100 where one call in 200 matches.
 */
const NEWEST_WALKED = 20_000;
/** Of a limit that no archive reaches Postgres makes a plan without regard to the order. */
const NO_LIMIT = sql.raw(`limit ${Number.MAX_SAFE_INTEGER}`);
/** Kinds of pages that each connection plans once, which takes it 0.6 ms and some 100 kB: the first that are asked for. */
const PLANNED_AT_MOST = 32;

export function createPages(pool: Pool, { newestWalked = NEWEST_WALKED } = {}): ReadPage {
  const dialect = new PgDialect();
  const planned = new Map<string, string>();

  /**
   * A filter by time is planned anew each time: without the times, Postgres would take any span for a short one. The
   * limit is a part of the text, since without it a plan would be for a tenth of all calls.
   */
  function nameOf(text: string, { registeredFrom, registeredTo, settledTo }: CallFilter): string | undefined {
    if (registeredFrom !== undefined || registeredTo !== undefined || settledTo !== undefined)
      return undefined;
    if (!planned.has(text) && planned.size < PLANNED_AT_MOST) planned.set(text, `page ${digest(text)}`);
    return planned.get(text);
  }

  /** One more than the page has tells whether there is a next one. `isSearch`: its plan is for these values alone. */
  async function page(
    from: SQL,
    where: SQL,
    filter: CallFilter,
    limit: number,
    isSearch = false,
  ): Promise<CallPage> {
    const chosen = sql`select * from ${from} c where ${where} ${NEWEST_FIRST} limit ${sql.raw(`${limit + 1}`)}`;
    const { sql: text, params: values } = dialect.sqlToQuery(pageOf(chosen, limit));
    const name = isSearch ? undefined : nameOf(text, filter);
    const query = name === undefined ? { text, values } : { name, text, values };
    const { rows } = await answering(pool.query<PageRow>(query));
    const { json, next } = rows[0] ?? { json: null, next: null };
    return { json: json ?? '', next: next === null ? null : positionOf(next) };
  }

  /**
   * Postgres assumes that the matches are spread evenly over time, and so would walk back from the newest call until
   * the page is full. For a campaign that ended long ago it would walk through every call since. Here the first
   * statement looks through the newest calls alone. Where they do not fill the page, the second one finds all matches
   * by the index and then sorts them.
   */
  const search: ReadPage = async (filter, limit, after) => {
    const newest = sql`(select * from ${CALLS} c where ${all([registeredWithin(filter), beyond(after)])}
                        ${NEWEST_FIRST} limit ${sql.raw(`${newestWalked}`)})`;
    const found = await page(newest, fits(filter), filter, limit);
    if (found.next !== null) return found;
    const where = all([fits(filter), foundBy(filter), beyond(after)]);
    const matches = sql`(select * from ${CALLS} c where ${where} ${NO_LIMIT})`;
    return page(matches, sql`true`, filter, limit, true);
  };

  return (filter, limit, after) =>
    isIndexed(filter)
      ? search(filter, limit, after)
      : page(CALLS, all([fits(filter), beyond(after)]), filter, limit);
}

const CALLS = sql.raw('polykeep_internal.calls');

interface PageRow {
  /** null where the page is empty. */
  json: string | null;
  /** The last call's number and its registration in milliseconds since 1970, where more calls follow. */
  next: [id: string, registeredMs: string] | null;
}

/** The calls that `chosen` has, one more than the page, in one row: pg takes its time for each column of each row. */
export function pageOf(chosen: SQL, limit: number): SQL {
  const last = sql.raw(`${limit}`);
  return sql`
select string_agg(p.json, ',' order by p.n) filter (where p.n <= ${last}) as json,
       max(p.position) filter (where p.n = ${last} and p.count > ${last}) as next
  from (${callRows(chosen, PLACE)}) p`;
}

const PLACE = `row_number() over (${ORDER}) as n, count(*) over () as count,
       array[c.id, (date_part('epoch', c.registered_at) * 1000)::int8]::text[] as position`;

/** The name of a statement stands for its text, whoever else uses the connection. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function positionOf([id, registeredMs]: [string, string]): Position {
  return { registeredAt: new Date(Number(registeredMs)), id };
}

function beyond(position: Position | null): SQL | undefined {
  if (position === null) return undefined;
  return sql`(c.registered_at, c.id) < (${timestamp(position.registeredAt)}, ${position.id}::int8)`;
}
