import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { isRefusal } from '../../archive/errors.ts';
import type { Registrar } from '../../archive/write/registrar.ts';
import { retryDelay } from '../../backoff.ts';
import type { Metadata, Registration, Report, Sighting } from '../../call/call.ts';
import { within } from '../../clock.ts';

/** Calls that PolyAI has, and that are registered whether or not Postgres is there at the moment. */
export interface PlacedCalls {
  /**
   * Registers a call, with the status that PolyAI has just shown of it where it did. Resolves when Postgres has it, or
   * after 2 s: a call that was placed is not hidden from its caller. It is tried on until it holds.
   */
  keep(registration: Registration, sighting: Sighting | null): Promise<void>;
  /** Has `close` wait for work that may place a call for the account. */
  during<Result>(account: string, work: Promise<Result>): Promise<Result>;
  /** Waits so long for what is under way; what is not registered then is named in the log. */
  close(ms: number): Promise<void>;
}

export interface PlacedCallsOptions {
  registrar: Registrar;
  report: (report: Report) => Promise<unknown>;
  followSoon: (callSids: readonly string[]) => void;
  log: Logger;
}

/** A call that is not registered yet, whoever asks for it meanwhile. */
interface Pending {
  account: string;
  metadata: Metadata;
  sightings: Sighting[];
  work: Promise<void>;
}

const PATIENCE_MS = 2_000;
const RETRY = { firstMs: 100, maxMs: 2_000 };

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
        const wait = retryDelay(failures, RETRY, Math.random);
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
      // The trigger's word on its metadata may come second, after a status request for its call.
      if (Object.keys(call.metadata).length === 0) call.metadata = registration.metadata;
      if (sighting !== null && call.sightings.at(-1)?.body !== sighting.body) call.sightings.push(sighting);
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
