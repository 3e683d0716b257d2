import type { Queue } from 'bullmq';
import type { Logger } from 'pino';
import type { Accounts } from '../accounts/accounts.ts';
import type { Database } from '../archive/database.ts';
import type { ArchiveHealth } from '../archive/health.ts';
import type { News } from '../archive/news.ts';
import type { UnsettledCalls } from '../archive/read/unsettled.ts';
import type { ArchiveWriter } from '../archive/write/writer.ts';
import { within } from '../clock.ts';
import type { Config } from '../config/config.ts';
import type { Metrics } from '../metrics/all-metrics.ts';
import type { CallQueue } from '../queue/call-queue.ts';
import type { Push } from './push.ts';

/** What followers saw is written within, once the end has begun. */
export const FLUSH_WITHIN_MS = 4_000;
const HUNG_MS = 1_000;

/** How the archive is reached. */
export interface PostgresUrls {
  /** For statements and transactions; a pooler in transaction mode, or the server itself. */
  readonly pooled: string;
  /** The server itself, for what is more than a transaction: locks, `LISTEN`, migrations, cursors. */
  readonly direct: string;
}

/** What every role has, built once and handed to whoever needs it. */
export interface Common {
  config: Config;
  postgres: PostgresUrls;
  database: Database;
  /** For what holds a lock between transactions; with a pooler in between it is not `database`. */
  direct: Database;
  news: News;
  writer: ArchiveWriter;
  archiveHealth: ArchiveHealth;
  accounts: Accounts;
  push: Push;
  metrics: Metrics;
  unsettled: UnsettledCalls;
  queue: CallQueue;
  /** BullMQ's; null where the queue is in the process. */
  jobs: Queue | null;
  log: Logger;
  running: AsyncDisposableStack;
}

/** No call is polled more seldom, but for a fault or a rate limit. */
export function longestInterval({ accounts }: Config): number {
  return Math.max(...accounts.map(({ pace }) => pace.intervalMaxMs));
}

/**
 * Waits for a part to end, for a second at most: what waits for a server that does not answer is left behind. Rejects
 * as the part does within that time.
 */
export async function unlessHung(end: Promise<void>): Promise<void> {
  if (await within(HUNG_MS, end)) await end;
}
