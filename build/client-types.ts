import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const OPENAPI = fileURLToPath(new URL('../openapi.json', import.meta.url));
const TYPES = new URL('../src/client/openapi.ts', import.meta.url);
const CLI = fileURLToPath(
  new URL('client-types/node_modules/openapi-typescript/bin/cli.js', import.meta.url),
);

/** The first line of the types, which says of which openapi.json they are: a test compares it. */
export async function typesHeader(): Promise<string> {
  const hash = createHash('sha256')
    .update(await readFile(OPENAPI))
    .digest('hex');
  return `// Made by npm run openapi, of the openapi.json with the SHA-256 ${hash}: not to be edited.\n`;
}

/** Writes the types of the public API for `polykeep/client`. */
export async function writeClientTypes(): Promise<void> {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [CLI, OPENAPI], { maxBuffer: 2 ** 24 });
  await writeFile(TYPES, `${await typesHeader()}${stdout}`);
}
