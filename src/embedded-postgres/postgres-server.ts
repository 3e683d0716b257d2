import { setTimeout as sleep } from 'node:timers/promises';
import type { DataFolder } from './data-folder.ts';
import { DataDirInUseError, EmbeddedPortTakenError } from './embedded-errors.ts';
import { claim, type OnGone, type Ownership, type Postmaster, postmasterOf, stateOf } from './ownership.ts';
import { chooseFreePort, isFree } from './port.ts';
import type { RunProgram } from './programs.ts';

const START_PATIENCE_MS = 30_000;
/** A server that ends may have its port for a moment longer. */
const PORT_PATIENCE_MS = 5_000;
const RETRY_MS = 100;
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'timezone=UTC',
  'log_timezone=UTC',
  'log_checkpoints=off',
];

/** The server of a data folder. */
export class PostgresServer {
  readonly #folder: DataFolder;
  readonly #run: RunProgram;
  readonly #log: (message: string) => void;

  constructor(folder: DataFolder, run: RunProgram, log: (message: string) => void) {
    this.#folder = folder;
    this.#run = run;
    this.#log = log;
  }

  /**
   * Starts a server that is ours alone, on that port; null: on the port it had before, and first on any. Throws
   * `DataDirInUseError`, `EmbeddedPortTakenError` or `EmbeddedPostgresError`.
   */
  async start(configuredPort: number | null, onGone: OnGone): Promise<Ownership> {
    const { path, pgData, log } = this.#folder;
    const deadline = performance.now() + START_PATIENCE_MS;
    const portDeadline = performance.now() + PORT_PATIENCE_MS;
    for (;;) {
      const state = await stateOf(pgData, this.#urlOf, this.#log);
      if (state.kind === 'owned') throw new DataDirInUseError(path, state.postmaster.pid);
      if (state.kind === 'orphaned') {
        this.#log(`stopping the Postgres that a killed polykeep left behind in ${path}`);
        await state.ownership.endWith((postmaster) => this.stop(postmaster));
      }
      const port = configuredPort ?? (await this.#folder.keptPort()) ?? (await chooseFreePort());
      if (!(await isFree(port))) {
        if (performance.now() > portDeadline) throw new EmbeddedPortTakenError(port, path);
        await sleep(RETRY_MS);
        continue;
      }
      const logged = await log.size();
      try {
        await this.#launch(port);
      } catch (error) {
        if (!(await this.#passes(error, logged)) || performance.now() > deadline) throw error;
        await sleep(RETRY_MS);
        continue;
      }
      const postmaster = await postmasterOf(pgData);
      if (postmaster === null) throw await log.failure('it ended as soon as it had started');
      return this.#claim(postmaster, onGone);
    }
  }

  /** Stops that server, and no other that has taken its place in the folder. */
  async stop({ pid }: Postmaster): Promise<void> {
    const { pgData } = this.#folder;
    for (const mode of ['fast', 'immediate']) {
      if ((await postmasterOf(pgData))?.pid !== pid) return;
      try {
        await this.#run('pgCtl', ['stop', '-w', '-t', '5', '-m', mode, '-D', pgData]);
        return;
      } catch {
        // Too slow, or dead already.
      }
    }
  }

  readonly #urlOf = (port: number): string => this.#folder.url(port, 'postgres');

  async #launch(port: number): Promise<void> {
    const { pgData, log } = this.#folder;
    const settings = SETTINGS.map((setting) => `-c ${setting}`).join(' ');
    const options = `-p ${port} ${settings}`;
    await this.#run('pgCtl', ['start', '-w', '-t', '60', '-D', pgData, '-l', log.path, '-o', options]);
  }

  /**
   * Whether it may start when it is tried again: the port was taken in between, another polykeep starts on the same
   * folder, or the last server still ends. That is said somewhere in all that was logged since, not always in the tail:
   * whoever else starts on the folder logs there too.
   */
  async #passes(error: unknown, logged: number): Promise<boolean> {
    const said = `${error}\n${await this.#folder.log.since(logged)}`;
    return /in use|(lock|PID) file .* (already exists|is empty)/.test(said);
  }

  async #claim(postmaster: Postmaster, onGone: OnGone): Promise<Ownership> {
    const { path, passwordFile, log } = this.#folder;
    let ownership: Ownership | null;
    try {
      ownership = await claim(postmaster, this.#urlOf, { log: this.#log, onGone });
    } catch (error) {
      // Read before it is stopped: of its end it says more lines than the tail holds.
      const failure = await log.failure(
        `it started, but does not let us in; is ${passwordFile} its own?`,
        error,
      );
      await this.stop(postmaster);
      throw failure;
    }
    if (ownership === null) throw new DataDirInUseError(path, postmaster.pid);
    return ownership;
  }
}
