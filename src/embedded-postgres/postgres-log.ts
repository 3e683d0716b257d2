import { readFile, stat } from 'node:fs/promises';
import { EmbeddedPostgresError } from './embedded-errors.ts';

const TAIL_LINES = 5;

/** What the server says, in the file that it logs to. */
export class PostgresLog {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** In bytes. */
  async size(): Promise<number> {
    return (await stat(this.path)).size;
  }

  /** All that was logged behind so many bytes. */
  async since(size: number): Promise<string> {
    return (await readFile(this.path)).subarray(size).toString();
  }

  /** An error that ends with the last lines of the log. */
  async failure(said: string, cause?: unknown): Promise<EmbeddedPostgresError> {
    return new EmbeddedPostgresError(`embedded Postgres: ${said}\n${await this.#tail()}`.trim(), { cause });
  }

  async #tail(): Promise<string> {
    const text = await this.since(0).catch(() => '');
    return text.trim().split('\n').slice(-TAIL_LINES).join('\n');
  }
}
