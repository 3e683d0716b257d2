import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { type ProblemError, problem } from '../problems.ts';
import { sha256 } from './api-keys.ts';
import type { CountRefusal } from './count-refusal.ts';
import { Episode } from './episode.ts';

const WINDOW_MS = 1_000;
/** Different wrong keys from one address: somebody who guesses. A client with an old key sends the same one again. */
const FREE_GUESSES = 10;
const DELAY_MS = 1_000;
/** Answers that are held back at a time, each in a few kilobytes. */
const DELAYED_OF_ADDRESS = 50;
const DELAYED_IN_ALL = 1_000;
const MAX_ADDRESSES = 10_000;
const OTHERS = 'others';
const QUIET_MS = 60_000;

/** How long a refused client waits, and what it is told. */
export interface WrongKeyRefusal {
  /** Its connection is to be closed: the next guess then takes another one. */
  closes: boolean;
  problem: ProblemError;
}

/**
 * Slows down who guesses keys. A right key is let in before this is asked, whatever else comes from its address, as from
 * a proxy's. So it is the refusals that are slow: an address is told of ten different wrong keys a second at once, and
 * of each further one after a second, 50 at a time. Beyond them it is told at once again, since holding back more would
 * fill the memory, and loses its connection each time.
 */
export class WrongKeys {
  readonly #count: CountRefusal;
  readonly #guessing: Episode;
  /** Digests of the different wrong keys since the window began, by address. */
  readonly #guesses = new Map<string, Set<string>>();
  readonly #delayed = new Map<string, number>();
  #delayedInAll = 0;
  #windowEndsAt = 0;

  constructor({ count, log }: { count: CountRefusal; log: FastifyBaseLogger }) {
    this.#count = count;
    this.#guessing = new Episode({
      quietMs: QUIET_MS,
      onBegin: () => log.warn('an address tries many different wrong keys: they are refused slowly'),
      onEnd: (wrongKeys) => log.info({ wrongKeys }, 'no more wrong keys are tried'),
    });
  }

  /** Resolves to null where the key counts as one of a client that does not know better: it is refused as without one. */
  async refuse(given: string, address: string): Promise<WrongKeyRefusal | null> {
    if (!this.#isGuess(sha256(given).toString('base64'), address)) return null;
    this.#count('wrong_keys');
    this.#guessing.happened();
    return { closes: !(await this.#delay(address)), problem: problem.tooManyWrongKeys() };
  }

  #isGuess(digest: string, address: string): boolean {
    const now = performance.now();
    if (now >= this.#windowEndsAt) {
      this.#guesses.clear();
      this.#windowEndsAt = now + WINDOW_MS;
    }
    const whose = this.#guesses.has(address) || this.#guesses.size < MAX_ADDRESSES ? address : OTHERS;
    const guesses = this.#guesses.get(whose) ?? new Set();
    if (guesses.has(digest)) return false;
    if (guesses.size >= FREE_GUESSES) return true;
    this.#guesses.set(whose, guesses.add(digest));
    return false;
  }

  /** Whether there was room to wait. Who leaves early keeps its place for the second: leaving frees no next guess. */
  async #delay(address: string): Promise<boolean> {
    const delayed = this.#delayed.get(address) ?? 0;
    if (delayed >= DELAYED_OF_ADDRESS || this.#delayedInAll >= DELAYED_IN_ALL) return false;
    this.#delayed.set(address, delayed + 1);
    this.#delayedInAll++;
    await sleep(DELAY_MS, undefined, { ref: false });
    this.#delayedInAll--;
    const left = (this.#delayed.get(address) ?? 1) - 1;
    if (left === 0) this.#delayed.delete(address);
    else this.#delayed.set(address, left);
    return true;
  }
}
