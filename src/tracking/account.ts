import type { Logger } from 'pino';
import type { PolyAiClient } from '../polyai/client.ts';
import { PolyAiError } from '../polyai/errors.ts';
import type { Observation } from '../polyai/observation.ts';
import type { Clock } from './clock.ts';

const PROBE_EVERY_MS = 30_000;

/**
 * A PolyAI account as its calls share it. A 401 or 403 says nothing about the call that got it but that PolyAI refuses
 * the account's token: then the account is paused, all its calls wait, and one poll in 30 s is let through as a probe.
 */
export interface Account {
  readonly name: string;
  readonly paused: boolean;
  /** As `PolyAiClient.getStatus`; throws `PolyAiError` `unauthorized` without asking while the account is paused. */
  getStatus(callSid: string, signal: AbortSignal): Promise<Observation>;
  /** Milliseconds until the next probe is due; 0 when the account is not paused. */
  msToProbe(): number;
}

export interface AccountOptions {
  name: string;
  polyai: PolyAiClient;
  clock: Clock;
  log: Logger;
}

export function createAccount({ name, polyai, clock, log }: AccountOptions): Account {
  let paused = false;
  let probeAt = 0;

  async function getStatus(callSid: string, signal: AbortSignal): Promise<Observation> {
    if (paused) {
      if (clock.monotonic() < probeAt) throw new AccountPausedError(name);
      probeAt = clock.monotonic() + PROBE_EVERY_MS;
    }
    try {
      const observation = await polyai.getStatus(callSid, signal);
      setPaused(false);
      return observation;
    } catch (error) {
      if (error instanceof PolyAiError) learn(error);
      throw error;
    }
  }

  function learn(error: PolyAiError): void {
    if (error.code === 'unauthorized') setPaused(true);
    // These two are PolyAI's own word on a call: it took the token.
    else if (error.code === 'not_found' || error.code === 'rejected') setPaused(false);
  }

  function setPaused(next: boolean): void {
    if (next && !paused) probeAt = clock.monotonic() + PROBE_EVERY_MS;
    if (next === paused) return;
    paused = next;
    if (paused) log.error({ account: name }, 'account paused: PolyAI refuses its token');
    else log.info({ account: name }, 'account resumed: PolyAI takes its token again');
  }

  return {
    name,
    get paused() {
      return paused;
    },
    getStatus,
    msToProbe: () => (paused ? Math.max(0, probeAt - clock.monotonic()) : 0),
  };
}

/** No poll was made: the account waits for its next probe. */
export class AccountPausedError extends Error {
  override readonly name = 'AccountPausedError';
  readonly code = 'account_paused';

  constructor(account: string) {
    super(`account ${account} is paused`);
  }
}
