import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { within } from '../clock.ts';
import type { ArchiveWriter } from './write/writer.ts';

const EVERY_MS = 5_000;
/** Longer than Postgres waits for a lock: then it is known what is wrong. */
const ANSWER_WITHIN_MS = 6_000;

/**
 * Changes nothing, and asks for all that a write needs: a server that is not read only, the right to the tables, and
 * their locks, which a migration or an operator may hold.
 */
export const WRITE_PROBE = `
with updated as (update polykeep_internal.calls set polls = polls where false returning 1),
     promised as (update polykeep_internal.unsettled set followed_until = now() where false returning 1),
     inserted as (insert into polykeep_internal.transitions (call_id, seq, status, observed_at)
                  select 0, 0, 0, now() where false returning 1)
select from updated, promised, inserted`;

/** Whether Postgres does its work: it takes what is written. That it answers is not enough. */
export interface ArchiveHealth {
  /** As far as is known; it is looked at every 5 s. */
  readonly isUp: boolean;
  /** Looks now; within 6 s. */
  check(): Promise<boolean>;
  start(): void;
  stop(): void;
}

export interface ArchiveHealthOptions {
  pool: Pool;
  /** What real writes meet, as a full disk, no probe does. */
  writer: Pick<ArchiveWriter, 'isAway'>;
  /** The server, as `placeOfUrl` names it, for the log. */
  server?: string;
  log: Logger;
  everyMs?: number;
}

/** Logs one line when Postgres begins to refuse writes, and one when it takes them again. */
export function createArchiveHealth({
  pool,
  writer,
  server,
  log,
  everyMs = EVERY_MS,
}: ArchiveHealthOptions): ArchiveHealth {
  let takesWrites = true;
  let probing: Promise<void> | null = null;
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  const isUp = () => takesWrites && !writer.isAway;

  async function probe(): Promise<void> {
    try {
      const answer = pool.query(WRITE_PROBE);
      if (!(await within(ANSWER_WITHIN_MS, answer)))
        throw new Error(`no answer within ${ANSWER_WITHIN_MS} ms`);
      await answer;
      if (!takesWrites) log.info('Postgres takes writes again');
      takesWrites = true;
    } catch (error) {
      if (takesWrites && !isStopped) log.warn({ server, err: error }, 'Postgres takes no writes');
      takesWrites = false;
    }
  }

  async function check(): Promise<boolean> {
    probing ??= probe().finally(() => {
      probing = null;
    });
    await probing;
    return isUp();
  }

  async function checkAgainAndAgain(): Promise<void> {
    await check();
    if (!isStopped) timer = setTimeout(() => void checkAgainAndAgain(), everyMs);
  }

  return {
    get isUp() {
      return isUp();
    },
    check,
    start: () => void checkAgainAndAgain(),
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
