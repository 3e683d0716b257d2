import type { Pool } from 'pg';
import { keepLast, keptByPool } from '../kept-by-pool.ts';
import type { CallToWrite } from './calls-to-write.ts';

/**
 * Rows of calls that are followed, as this process last read or wrote them: of a call that it reports of again it needs
 * no more, since a row is written only where it still is of the version that is known. To read it takes an eighth of what
 * a transition takes.
 */

interface Known {
  row: CallToWrite;
  /** When it was so, by `performance.now()`. */
  at: number;
}

/** Some 500 bytes each, where a call that is followed takes 16 KB. */
const KNOWN_AT_MOST = 50_000;

const knownTo = keptByPool<string, Known>();

export interface KnownCalls {
  /** null where the row is to be read. */
  get(callSid: string): CallToWrite | null;
  /** They are committed; one that is settled is not written soon again. */
  keep(rows: readonly CallToWrite[]): void;
  forget(callSids: readonly string[]): void;
}

/** To be asked for in a transaction: what is known may be of another server than a connection that is made later. */
export function knownCalls(pool: Pool): KnownCalls {
  const known = knownTo(pool);
  return {
    get(callSid) {
      const found = known.get(callSid);
      return found === undefined ? null : aged(found);
    },
    keep(rows) {
      const at = performance.now();
      for (const row of rows) {
        const { callSid, state } = row.call;
        if (state.outcome === null) keepLast(known, callSid, { row, at }, KNOWN_AT_MOST);
        else known.delete(callSid);
      }
    },
    forget(callSids) {
      for (const callSid of callSids) known.delete(callSid);
    },
  };
}

function aged({ row, at }: Known): CallToWrite {
  const sinceMs = performance.now() - at;
  const { ageMs, silentMs } = row.call;
  const call = {
    ...row.call,
    ageMs: ageMs + sinceMs,
    silentMs: silentMs === null ? null : silentMs + sinceMs,
  };
  return { ...row, call };
}
