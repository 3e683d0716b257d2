import type { Pool } from 'pg';
import { type Call, type Registration, UNSEEN } from '../../call/call.ts';
import { batched } from '../batch.ts';
import { answering } from '../database.ts';
import { inTransaction } from '../transaction.ts';
import { isRegisteredMeanwhile, type RegisteredRow, registerCalls } from './registrations.ts';

/** What became of a registration. */
export type Registered =
  | { kind: 'created'; call: Call }
  /** polykeep had concluded on the call; it is followed again. */
  | { kind: 'reopened' }
  | { kind: 'existing' };

export interface Registrar {
  /**
   * Makes a call durable. A call that was there before stays as it is, but for metadata keys that it lacks and for a
   * conclusion, which is taken back. Rejects with `ArchiveUnavailableError` where Postgres is away: then nothing is
   * stored, or all (the connection broke at the commit), and to register again is right in both cases.
   */
  register(registration: Registration): Promise<Registered>;
  /** As `register`, all or none; the answers are in the order of the calls, a repeated callSid is new the first time. */
  registerAll(registrations: readonly Registration[]): Promise<Registered[]>;
}

/** Each may have 8 KB of metadata: more would fill the memory while Postgres is frozen. */
const WAITING_AT_MOST = 10_000;

export function createRegistrar(pool: Pool): Registrar {
  async function registerAll(registrations: readonly Registration[]): Promise<Registered[]> {
    const calls = eachOnce(registrations);
    const rows = await answering(register([...calls.values()]));
    const changed = new Map(rows.map((row) => [row.callSid, row]));
    return registrations.map((registration) => {
      const { callSid } = registration;
      const row = changed.get(callSid);
      changed.delete(callSid);
      return registeredAs(calls.get(callSid) ?? registration, row);
    });
  }

  /** Whoever was first has committed: each time at least one call more is known. */
  async function register(calls: readonly Registration[]): Promise<RegisteredRow[]> {
    for (;;) {
      try {
        return await inTransaction(pool, 'begin', (client) => registerCalls(client, calls));
      } catch (error) {
        if (!isRegisteredMeanwhile(error)) throw error;
      }
    }
  }

  return { register: batched(registerAll, { atMost: WAITING_AT_MOST }), registerAll };
}

/** Of a callSid that comes twice the first one counts, and gets the metadata keys that it lacks and a later one has. */
function eachOnce(registrations: readonly Registration[]): Map<string, Registration> {
  const calls = new Map<string, Registration>();
  for (const registration of registrations) {
    const { callSid, metadata } = registration;
    const first = calls.get(callSid);
    calls.set(
      callSid,
      first === undefined ? registration : { ...first, metadata: { ...metadata, ...first.metadata } },
    );
  }
  return calls;
}

function registeredAs(registration: Registration, row: RegisteredRow | undefined): Registered {
  if (row?.isNew) return { kind: 'created', call: newCall(registration, row.registeredAt) };
  return { kind: row?.isReopened ? 'reopened' : 'existing' };
}

const { transitionCount: _, ...unseen } = UNSEEN;

/** A call of which nothing is known yet but that it is there. */
function newCall(registration: Registration, registeredAt: Date): Call {
  return {
    ...registration,
    registeredAt,
    ...unseen,
    polls: 0,
    failedPolls: 0,
    lastError: null,
    transitions: [],
  };
}
