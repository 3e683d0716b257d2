import type { Pool } from 'pg';
import { batched } from './batch.ts';
import type { Registration } from './call.ts';
import { answering } from './database.ts';
import { REGISTER_CALLS } from './statements.ts';

export interface Registrar {
  /**
   * Makes a call durable; true where it was not there before. What is there stays as it is. Rejects with
   * `ArchiveUnavailableError` where Postgres is away: then nothing is stored, or all (the connection broke at the
   * commit), and to register again is right in both cases.
   */
  register(registration: Registration): Promise<boolean>;
  /** As `register`, all or none; the answers are in the order of the calls, a repeated callSid is new once. */
  registerAll(registrations: readonly Registration[]): Promise<boolean[]>;
}

export function createRegistrar(pool: Pool): Registrar {
  async function registerAll(registrations: readonly Registration[]): Promise<boolean[]> {
    const inserted = pool.query<{ call_sid: string }>({
      name: 'register_calls',
      text: REGISTER_CALLS,
      values: [
        registrations.map(({ callSid }) => callSid),
        registrations.map(({ account }) => account),
        registrations.map(({ metadata }) => JSON.stringify(metadata)),
      ],
    });
    const { rows } = await answering(inserted);
    const created = new Set(rows.map((row) => row.call_sid));
    return registrations.map(({ callSid }) => created.delete(callSid));
  }

  return { register: batched(registerAll), registerAll };
}
