import { readFileSync } from 'node:fs';
import { parse } from 'dotenv';
import { ConfigError } from './config-error.ts';

const UTF16 = /^(\xff\xfe|\xfe\xff)/;

/**
 * Takes what the environment does not say from the file `.env` of the working directory, where there is one. It is read
 * as `dotenv` does, and not by Node's own `process.loadEnvFile`: that loses the first variable behind the byte order
 * mark that editors on Windows write.
 */
export function loadEnvironmentFile(
  path = '.env',
  environment: Record<string, string | undefined> = process.env,
): void {
  for (const [name, value] of Object.entries(parse(read(path)))) environment[name] ??= value;
}

/** Empty where there is no such file. */
function read(path: string): string {
  try {
    const bytes = readFileSync(path);
    if (!UTF16.test(bytes.toString('latin1', 0, 2))) return bytes.toString('utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : error;
    if (code === 'ENOENT') return '';
    throw new ConfigError([`${path}: cannot be read (${code})`]);
  }
  throw new ConfigError([`${path}: is UTF-16: save it as UTF-8`]);
}
