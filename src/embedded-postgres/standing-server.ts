import { setTimeout as sleep } from 'node:timers/promises';
import { wordsOf } from '../words.ts';
import type { Ownership } from './ownership.ts';
import type { PostgresServer } from './postgres-server.ts';

const AGAIN_EVERY_MS = 2_000;

interface StandingOptions {
  port: number | null;
  startsAgain: boolean;
  log: (message: string) => void;
}

/** A server that is started again where it ends without us, as by `kill -9` or for want of memory: nobody else would. */
export class StandingServer {
  readonly #server: PostgresServer;
  readonly #log: (message: string) => void;
  readonly #ending = new AbortController();
  #owned: Promise<Ownership>;

  private constructor(server: PostgresServer, { port, startsAgain, log }: StandingOptions) {
    this.#server = server;
    this.#log = log;
    this.#owned = server.start(port, startsAgain ? this.#startAgain : null);
  }

  /** Throws as `PostgresServer.start` does. */
  static async start(
    server: PostgresServer,
    options: StandingOptions,
  ): Promise<{ standing: StandingServer; port: number }> {
    const standing = new StandingServer(server, options);
    const { postmaster } = await standing.#owned;
    return { standing, port: postmaster.port };
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    // One that could not be started again is not there to be stopped.
    const ownership = await this.#owned.catch(() => null);
    await ownership?.endWith((postmaster) => this.#server.stop(postmaster));
  }

  readonly #startAgain = (): void => {
    if (this.#ending.signal.aborted) return;
    this.#owned = this.#owned.then(({ postmaster }) => this.#untilStarted(postmaster.port));
    // Whoever stops it waits for it; before that nobody does.
    this.#owned.catch(() => {});
  };

  async #untilStarted(port: number): Promise<Ownership> {
    this.#log('the embedded Postgres has ended: starting it again');
    for (let told = ''; ; ) {
      try {
        const ownership = await this.#server.start(port, this.#startAgain);
        this.#log('the embedded Postgres runs again');
        return ownership;
      } catch (error) {
        const words = wordsOf(error);
        if (words !== told) this.#log(`the embedded Postgres cannot be started again: ${words}`);
        told = words;
      }
      await sleep(AGAIN_EVERY_MS, undefined, { signal: this.#ending.signal });
    }
  }
}
