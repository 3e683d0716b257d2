import type { CallPage } from '../polykeep/answers.ts';
import { ask } from '../polykeep/client.ts';
import { Failure } from '../polykeep/failure.ts';

/** A page of calls. What cannot be the beginning of a callSid is that of none. */
export async function readPage(path: string, signal: AbortSignal): Promise<CallPage> {
  try {
    return await ask<CallPage>(path, { signal });
  } catch (error) {
    const isNoPrefix =
      error instanceof Failure && error.status === 400 && error.message.includes('callSidPrefix');
    if (isNoPrefix) return { data: [], nextCursor: null };
    throw error;
  }
}
