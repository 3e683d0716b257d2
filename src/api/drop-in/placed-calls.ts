import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { isRefusal } from '../../archive/sql-states.ts';
import type { Registrar } from '../../archive/write/registrar.ts';
import { retryDelay } from '../../backoff.ts';
import type { Metadata, Registration, Report, Sighting } from '../../call/call.ts';
import { within } from '../../clock.ts';

/** Registers calls that PolyAI has placed already, so that none is lost while Postgres is away. */
export interface PlacedCalls {
  /**
   * Registers a call, and its status if PolyAI has just shown one. Resolves when Postgres has the call, or after 2 s,
   * so that the caller learns of the call in any case. Where Postgres is away it is tried until it succeeds.
   */
  keep(registration: Registration, sighting: Sighting | null): Promise<void>;
  /** Runs work that may place a call for the account; `close` waits for it. */
  during<Result>(account: string, work: Promise<Result>): Promise<Result>;
  /** Waits at most `ms` for what is under way, and logs each call that is not registered by then. */
  close(ms: number): Promise<void>;
}

interface PlacedCallsOptions {
  registrar: Registrar;
  report: (report: Report) => Promise<unknown>;
  followSoon: (callSids: readonly string[]) => void;
  log: Logger;
}

/** A call that is not registered yet. Who asks for it meanwhile adds to it. */
interface Pending {
  account: string;
  metadata: Metadata;
  sightings: Sighting[];
  work: Promise<void>;
}

const PATIENCE_MS = 2_000;
const RETRY = { firstMs: 100, maxMs: 2_000 };
/** That wait for Postgres together, and try it so often. More of them try more rarely: each try takes time from polls. */
const TRYING_OFTEN = 1_000;
/** What PolyAI showed of a call meanwhile; the last of them counts most. */
const MAX_SIGHTINGS = 20;

export function createPlacedCalls({ registrar, report, followSoon, log }: PlacedCallsOptions): PlacedCalls {
  const pending = new Map<string, Pending>();
  const triggers = new Map<Promise<unknown>, string>();
  const closing = new AbortController();

  function begin({ callSid, account, metadata }: Registration): Pending {
    const call: Pending = { account, metadata, sightings: [], work: Promise.resolve() };
    pending.set(callSid, call);
    call.work = register(callSid, call);
    return call;
  }

  async function register(callSid: string, call: Pending): Promise<void> {
    const isRegistered = await registerUntilItHolds(callSid, call);
    if (closing.signal.aborted && !isRegistered) return;
    pending.delete(callSid);
    if (!isRegistered) return;
    followSoon([callSid]);
    for (const sighting of call.sightings) await write(callSid, sighting);
  }

  async function registerUntilItHolds(callSid: string, call: Pending): Promise<boolean> {
    const { account } = call;
    let failures = 0;
    for (;;) {
      try {
        await registrar.register({ callSid, account, metadata: call.metadata });
        if (failures > 0) log.info({ callSid, account }, 'registered at last');
        return true;
      } catch (error) {
        if (isRefusal(error)) {
          log.error({ err: error, callSid, account }, 'Postgres refuses a call that PolyAI has');
          return false;
        }
        failures++;
        if (failures === 1) {
          log.warn({ err: error, callSid, account }, 'not registered yet: trying again until it holds');
        }
        const wait = retryDelay(failures, RETRY, Math.random) * Math.max(1, pending.size / TRYING_OFTEN);
        await sleep(wait, undefined, { signal: closing.signal }).catch(() => {});
        if (closing.signal.aborted) return false;
      }
    }
  }

  async function write(callSid: string, sighting: Sighting): Promise<void> {
    await report({ callSid, sighting, polls: 1 }).catch((error: unknown) =>
      log.error({ err: error, callSid, status: sighting.status }, 'a status that was shown is not written'),
    );
  }

  async function isIdle(): Promise<void> {
    while (triggers.size + pending.size > 0) {
      await Promise.allSettled([...triggers.keys(), ...[...pending.values()].map(({ work }) => work)]);
    }
  }

  return {
    async keep(registration, sighting) {
      const call = pending.get(registration.callSid) ?? begin(registration);
      // A status request for the call may come before the trigger, which alone brings metadata.
      if (Object.keys(call.metadata).length === 0) call.metadata = registration.metadata;
      if (sighting !== null) add(call.sightings, sighting);
      await within(PATIENCE_MS, call.work);
    },

    during(account, work) {
      const tracked = work.finally(() => triggers.delete(tracked));
      triggers.set(tracked, account);
      return tracked;
    },

    async close(ms) {
      await within(ms, isIdle());
      closing.abort();
      for (const [callSid, { account, metadata }] of pending) {
        log.error(
          { callSid, account, metadata },
          'stopped before this call was registered: register it again',
        );
      }
      for (const account of triggers.values()) {
        log.error({ account }, 'stopped while a trigger was under way: its call may have been placed');
      }
    },
  };
}

/** A client that asks again and again is shown the same: the first of it tells when it was so. */
function add(sightings: Sighting[], sighting: Sighting): void {
  const last = sightings.at(-1);
  if (last?.status === sighting.status && last.reason === sighting.reason) return;
  if (sightings.length === MAX_SIGHTINGS) sightings.pop();
  sightings.push(sighting);
}
