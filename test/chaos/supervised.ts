import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SidecarProcess, spawnSidecarInto } from '../support/sidecar.ts';
import { Turns, within } from './deadline.ts';
import type { Death, Exit } from './evidence.ts';
import type { IncidentKind, IncidentLog } from './incidents.ts';
import { LogPipe } from './log-pipe.ts';

const START_MS = 120_000;
const RESTART_AFTER_MS = 1_000;
/** For what a process wrote last to be read. */
const LAST_LINES_MS = 500;
/** polykeep promises 10 s; what is over is seen as such, and not waited for. */
const STOP_MS = 15_000;

/** A polykeep process that is started again whenever it ends, as by an orchestrator. */
export class Supervised {
  readonly name: string;
  /** Each start that came up. */
  starts = 0;
  readonly exits: Exit[] = [];
  readonly deaths: Death[] = [];
  /** Log lines of all its processes. */
  readonly logs: SidecarProcess['log'][] = [];
  readonly #command: 'api' | 'worker';
  readonly #environment: Record<string, string>;
  readonly #incidents: IncidentLog;
  readonly #turns = new Turns();
  #current: SidecarProcess | null = null;
  #pipe: LogPipe | null = null;
  #isPaused = false;
  /** Nothing that ends now ended by itself. */
  #ending = false;
  #closed = false;

  constructor(
    name: string,
    command: 'api' | 'worker',
    environment: Record<string, string>,
    incidents: IncidentLog,
  ) {
    this.name = name;
    this.#command = command;
    this.#environment = environment;
    this.#incidents = incidents;
  }

  start(): Promise<void> {
    return this.#turns.take(() => this.#start());
  }

  /** Where its API listens; rejects while it does not run. */
  async url(): Promise<string> {
    if (this.#current === null) throw new Error(`${this.name} does not run`);
    return this.#current.url();
  }

  kill(kind: IncidentKind, awayMs: number): Promise<void> {
    return this.#turns.take(async () => {
      const back = this.#incidents.begin(kind, this.name, `for ${awayMs} ms`);
      await this.#end('SIGKILL');
      await this.#comeBack(awayMs, back);
    });
  }

  stop(kind: IncidentKind, awayMs: number): Promise<void> {
    return this.#turns.take(async () => {
      const back = this.#incidents.begin(kind, this.name, `for ${awayMs} ms`);
      await this.#terminate();
      await this.#comeBack(awayMs, back);
    });
  }

  pause(kind: IncidentKind, forMs: number): Promise<void> {
    return this.#turns.take(async () => {
      const resumed = this.#incidents.begin(kind, this.name, `for ${forMs} ms`);
      this.#isPaused = this.#process?.kill('SIGSTOP') ?? false;
      await sleep(forMs);
      this.#process?.kill('SIGCONT');
      this.#isPaused = false;
      resumed();
    });
  }

  /** Nobody reads its log for a while, and then it is stopped, with its log still unread. */
  stopReading(forMs: number): Promise<void> {
    return this.#turns.take(async () => {
      const read = this.#incidents.begin('log unread', this.name, `for ${forMs} ms, then stopped`);
      await this.#pipe?.stopReading();
      await sleep(forMs);
      const back = this.#incidents.begin('worker stopped', this.name, 'with its log unread');
      await this.#terminate().finally(() => this.#pipe?.readOn());
      read();
      await this.#comeBack(0, back);
    });
  }

  /** By SIGTERM, and for good. */
  close(): Promise<void> {
    this.#closed = true;
    if (this.#isPaused) this.#process?.kill('SIGCONT');
    return this.#turns.take(() => this.#terminate());
  }

  /** At once and for good, whatever is under way. */
  async destroy(): Promise<void> {
    this.#closed = true;
    this.#ending = true;
    await this.#current?.end('SIGKILL');
  }

  get #process(): ChildProcess | undefined {
    return this.#current?.process;
  }

  async #comeBack(awayMs: number, back: () => void): Promise<void> {
    await sleep(awayMs);
    await this.#start();
    back();
  }

  async #start(): Promise<void> {
    while (!this.#closed) {
      const current = await this.#spawn();
      this.#current = current;
      this.#ending = false;
      this.logs.push(current.log);
      try {
        await within(START_MS, `start of ${this.name}`, current.url());
      } catch (error) {
        if (this.#closed) return;
        this.#died(false, `${error}`);
        await this.#end('SIGKILL');
        await sleep(RESTART_AFTER_MS);
        continue;
      }
      this.starts++;
      current.exited.then((code) => this.#onExit(current, code));
      return;
    }
  }

  async #spawn(): Promise<SidecarProcess> {
    const pipe = await LogPipe.make();
    const current = spawnSidecarInto(pipe, this.#environment, this.#command);
    this.#pipe = pipe;
    void current.exited.then(() => sleep(LAST_LINES_MS)).then(() => pipe.close());
    return current;
  }

  #onExit(process: SidecarProcess, code: number | null): void {
    if (this.#ending || process !== this.#current) return;
    this.#died(true, `ended with ${code}: ${process.stderr()}`);
    this.#current = null;
    void this.start();
  }

  #died(running: boolean, said: string): void {
    this.#incidents.say(`${this.name} ${running ? 'died' : 'did not start'}: ${said.trim()}`);
    this.deaths.push({ process: this.name, at: Date.now(), running, said });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#ending = true;
    await this.#current?.end(signal);
    this.#current = null;
  }

  async #terminate(): Promise<void> {
    const current = this.#current;
    if (current === null) return;
    this.#ending = true;
    const at = Date.now();
    const ended = within(STOP_MS, `SIGTERM of ${this.name}`, current.end('SIGTERM'));
    const code = await ended.catch(() => current.end('SIGKILL'));
    this.exits.push({ process: this.name, at, code, tookMs: Date.now() - at });
    this.#current = null;
  }
}
