import type { Pool } from 'pg';
import { type Call, type Registration, UNSEEN } from '../../call/call.ts';
import { batched } from '../batch.ts';
import { answering } from '../database.ts';
import { registerCalls } from './statements.ts';

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
    const { rows } = await answering(pool.query<RegisteredRow>(registerCalls(registrations)));
    const created = new Map(rows.map(({ callSid, registeredAt }) => [callSid, registeredAt]));
    return registrations.map((registration) => {
      const registeredAt = created.get(registration.callSid);
      created.delete(registration.callSid);
      return registeredAt === undefined ? null : newCall(registration, registeredAt);
    });
  }

  return { register: batched(registerAll), registerAll };
}

interface RegisteredRow {
  callSid: string;
  registeredAt: Date;
}

/** A call of which nothing is known yet but that it is there. */
function newCall(registration: Registration, registeredAt: Date): Call {
  return {
    ...registration,
    registeredAt,
    ...UNSEEN,
    polls: 0,
    failedPolls: 0,
    lastError: null,
    transitions: [],
  };
}
