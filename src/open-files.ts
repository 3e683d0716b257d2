import { readFileSync } from 'node:fs';

/** Postgres, Redis, the log, timers, what npm packages open now and then: more than a process has at any time. */
const OWN_FILES = 80;
const FEWEST_CONNECTIONS = 16;

/** How many connections of each kind the process may have open. Infinity: as many as it likes. */
export interface ConnectionLimits {
  /** From clients to the API. */
  api: number;
  /** To PolyAI, of all accounts together. */
  polyai: number;
}

/**
 * Shares what the operating system lets the process open (`ulimit -n`; null: not known) between both kinds, with room
 * for its own. A process that has none left can neither write what it saw nor say so.
 */
export function connectionLimits(openFiles: number | null): ConnectionLimits {
  if (openFiles === null) return { api: Number.POSITIVE_INFINITY, polyai: Number.POSITIVE_INFINITY };
  const half = Math.max(FEWEST_CONNECTIONS, Math.floor((openFiles - OWN_FILES) / 2));
  return { api: half, polyai: half };
}

/** The limit of open files in force for this process, or null where the system does not tell (it is Linux that does). */
export function openFilesLimit(): number | null {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? null : Number(soft);
  } catch {
    // No /proc: not Linux, where limits of thousands are the rule.
    return null;
  }
}
