import type { Pool } from 'pg';
import type { Call, Registration } from '../../call/call.ts';
import { batched } from '../batch.ts';
import { answering } from '../database.ts';
import { REGISTER_CALLS } from './statements.ts';

export interface Registrar {
  /**
   * Makes a call durable and returns it; null where it was there before. What is there stays as it is. Rejects with
   * `ArchiveUnavailableError` where Postgres is away: then nothing is stored, or all (the connection broke at the
   * commit), and to register again is right in both cases.
   */
  register(registration: Registration): Promise<Call | null>;
  /** As `register`, all or none; the answers are in the order of the calls, a repeated callSid is new the first time. */
  registerAll(registrations: readonly Registration[]): Promise<(Call | null)[]>;
}

export function createRegistrar(pool: Pool): Registrar {
  async function registerAll(registrations: readonly Registration[]): Promise<(Call | null)[]> {
    const inserted = pool.query<{ call_sid: string; registered_at: Date }>({
      name: 'register_calls',
      text: REGISTER_CALLS,
      values: [
        registrations.map(({ callSid }) => callSid),
        registrations.map(({ account }) => account),
        registrations.map(({ metadata }) => JSON.stringify(metadata)),
      ],
    });
    const { rows } = await answering(inserted);
    const created = new Map(rows.map((row) => [row.call_sid, row.registered_at]));
    return registrations.map((registration) => {
      const registeredAt = created.get(registration.callSid);
      created.delete(registration.callSid);
      return registeredAt === undefined ? null : newCall(registration, registeredAt);
    });
  }

  return { register: batched(registerAll), registerAll };
}

/** A call of which nothing is known yet but that it is there. */
function newCall(registration: Registration, registeredAt: Date): Call {
  return {
    ...registration,
    registeredAt,
    status: null,
    outcome: null,
    reason: null,
    createdAt: null,
    lastUpdated: null,
    firstSeenAt: null,
    lastSeenAt: null,
    settledAt: null,
    polls: 0,
    failedPolls: 0,
    lastError: null,
    transitions: [],
  };
}
