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
import { JSON_OF_CALL, NEWEST_FIRST } from './call-json.ts';
import type { Position } from './cursors.ts';
import { BREAK, type CallPage, KEY, knownPage, renewed } from './known-pages.ts';

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
  function page(from: SQL, where: SQL, asked: Asked, isSearch = false): Promise<CallPage> {
    const { filter, limit, after } = asked;
    const chosen = sql`select * from ${from} c where ${where} ${NEWEST_FIRST} limit ${sql.raw(`${limit + 1}`)}`;
    // From a cursor on, a page is hardly asked for twice.
    const question = { question: JSON.stringify([asked, isSearch]), isAskedAgain: after === null };
    return knownPage(pool, question, async (known) => {
      const { sql: text, params: values } = dialect.sqlToQuery(pageOf(chosen, known.keys));
      const name = isSearch ? undefined : nameOf(text, filter);
      const query = name === undefined ? { text, values } : { name, text, values };
      const { rows } = await answering(pool.query<PageRow>(query));
      return renewed(known, rows[0] ?? EMPTY, limit);
    });
  }

  /**
   * Postgres assumes that the matches are spread evenly over time, and so would walk back from the newest call until
   * the page is full. For a campaign that ended long ago it would walk through every call since. Here the first
   * statement looks through the newest calls alone. Where they do not fill the page, the second one finds all matches
   * by the index and then sorts them.
   */
  async function search(asked: Asked): Promise<CallPage> {
    const { filter, after } = asked;
    const newest = sql`(select * from ${CALLS} c where ${all([registeredWithin(filter), beyond(after)])}
                        ${NEWEST_FIRST} limit ${sql.raw(`${newestWalked}`)})`;
    const found = await page(newest, fits(filter), asked);
    if (found.next !== null) return found;
    const where = all([fits(filter), foundBy(filter), beyond(after)]);
    const matches = sql`(select * from ${CALLS} c where ${where} ${NO_LIMIT})`;
    return page(matches, sql`true`, asked, true);
  }

  return (filter, limit, after) => {
    const asked = { filter, limit, after };
    return isIndexed(filter) ? search(asked) : page(CALLS, all([fits(filter), beyond(after)]), asked);
  };
}

interface Asked {
  filter: CallFilter;
  limit: number;
  after: Position | null;
}

const CALLS = sql.raw('(select *, xmin from polykeep_internal.calls)');

/** null where the page is empty, and as JSON also where all of it is known. */
interface PageRow {
  keys: string | null;
  json: string | null;
}
const EMPTY: PageRow = { keys: null, json: null };

/** The calls that `chosen` has, in one row: pg takes its time for each column of each row. */
function pageOf(chosen: SQL, knownKeys: string): SQL {
  return sql`
select string_agg(c.key, ',' ${NEWEST_FIRST}) as keys, string_agg(c.json, ${sql.raw(BREAK)} ${NEWEST_FIRST}) as json
  from (select c.registered_at, c.id, c.key, case when known.key is null then ${sql.raw(JSON_OF_CALL)} end as json
          from (select c.*, ${sql.raw(KEY)} as key from (${chosen}) c offset 0) c
          left join unnest(string_to_array(${knownKeys}, ',')) as known (key) on known.key = c.key) c`;
}

/** The name of a statement stands for its text, whoever else uses the connection. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function beyond(position: Position | null): SQL | undefined {
  if (position === null) return undefined;
  return sql`(c.registered_at, c.id) < (${timestamp(position.registeredAt)}, ${position.id}::int8)`;
}
