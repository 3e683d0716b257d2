import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Registration, Report, Sighting } from '../archive/call.ts';
import { ArchiveUnavailableError } from '../archive/errors.ts';
import type { Registrar } from '../archive/registrar.ts';

/** Calls that PolyAI has, and that are registered whether or not Postgres is there at the moment. */
export interface PlacedCalls {
  /**
   * Registers a call, with the status that PolyAI has just shown of it where it did. Resolves when Postgres has it, or
   * after 2 s: a call that was placed is not hidden from its caller. It is tried on until it holds.
   */
  keep(registration: Registration, sighting: Sighting | null): Promise<void>;
  /** Has `close` wait for the work: it may place a call. */
  during<Result>(work: Promise<Result>): Promise<Result>;
  /** Waits so long for what is under way; what is not registered then is named in the log. */
  close(ms: number): Promise<void>;
}

export interface PlacedCallsOptions {
  registrar: Registrar;
  report: (report: Report) => Promise<unknown>;
  followSoon: (callSids: readonly string[]) => void;
  log: Logger;
}

const PATIENCE_MS = 2_000;
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 2_000;

export function createPlacedCalls({ registrar, report, followSoon, log }: PlacedCallsOptions): PlacedCalls {
  const working = new Set<Promise<unknown>>();
  const unregistered = new Set<Registration>();
  const closing = new AbortController();

  async function register(registration: Registration, sighting: Sighting | null): Promise<void> {
    const { callSid } = registration;
    unregistered.add(registration);
    if (!(await registerUntilItHolds(registration))) return;
    unregistered.delete(registration);
    followSoon([callSid]);
    if (sighting === null) return;
    await report({ callSid, sighting, polls: 1 }).catch((error: unknown) =>
      log.error({ err: error, callSid, status: sighting.status }, 'a status that was shown is not written'),
    );
  }

  async function registerUntilItHolds(registration: Registration): Promise<boolean> {
    const { callSid, account } = registration;
    for (let wait = RETRY_FIRST_MS; ; wait = Math.min(wait * 2, RETRY_MAX_MS)) {
      try {
        await registrar.register(registration);
        if (wait > RETRY_FIRST_MS) log.info({ callSid, account }, 'registered at last');
        return true;
      } catch (error) {
        if (!(error instanceof ArchiveUnavailableError)) {
          log.error({ err: error, callSid, account }, 'a call that PolyAI has cannot be registered');
          return false;
        }
        if (wait === RETRY_FIRST_MS) {
          log.warn({ callSid, account }, 'not registered yet: trying again until it holds');
        }
        await sleep(wait, undefined, { signal: closing.signal }).catch(() => {});
        if (closing.signal.aborted) return false;
      }
    }
  }

  function during<Result>(work: Promise<Result>): Promise<Result> {
    const tracked = work.finally(() => working.delete(tracked));
    working.add(tracked);
    return tracked;
  }

  return {
    async keep(registration, sighting) {
      const answered = new AbortController();
      const patience = sleep(PATIENCE_MS, undefined, { signal: answered.signal }).catch(() => {});
      await Promise.race([during(register(registration, sighting)), patience]);
      answered.abort();
    },
    during,
    async close(ms) {
      const done = new AbortController();
      const timeout = sleep(ms, undefined, { signal: done.signal }).catch(() => {});
      await Promise.race([Promise.allSettled(working), timeout]);
      done.abort();
      closing.abort();
      for (const { callSid, account, metadata } of unregistered) {
        log.error(
          { callSid, account, metadata },
          'stopped before this call could be registered: register it again',
        );
      }
    },
  };
}
