import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type OpenDatabase, openTestDatabase } from '../support/database.ts';
import { freePort } from '../support/free-port.ts';
import { type Pushing, startPushing } from '../support/push.ts';
import { sightingNow } from '../support/sighting.ts';

/** The receivers of docs/webhooks.md, as they stand. */

const CACHE = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));
const page = await readFile(new URL('../../docs/webhooks.md', import.meta.url), 'utf8');
const codeIn = (language: string) =>
  new RegExp(`^\`\`\`${language}\n(?<code>[\\s\\S]*?)^\`\`\`$`, 'm').exec(page)?.groups?.code ?? '';

const PYTHON = process.env.PYTHON ?? 'python3';
const hasPython = spawnSync(PYTHON, ['-c', 'import standardwebhooks']).status === 0;

let database: OpenDatabase;
let pushing: Pushing;
let folder: string;
let child: ChildProcess | undefined;

beforeEach(async () => {
  database = await openTestDatabase();
  pushing = startPushing(database);
  // From here the package is found.
  await mkdir(CACHE, { recursive: true });
  folder = await mkdtemp(join(CACHE, 'receiver-'));
});

afterEach(async () => {
  child?.kill();
  await pushing.stop();
  await database.drop();
  await rm(folder, { recursive: true });
});

it.for([
  ['js', process.execPath],
  ['python', PYTHON],
] as const)('the one in %s takes what is signed, and nothing else', async ([language, program], { skip }) => {
  skip(language === 'python' && !hasPython, 'no standardwebhooks for Python');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/hook`;
  const settings = { url, events: ['call.settled'], account: null, metadata: {}, description: null } as const;
  const { webhook, secret } = await pushing.webhooks.create(settings);
  const told = await startReceiver(language, program, { PORT: `${port}`, WEBHOOK_SECRET: secret });
  await expect.poll(() => answerOf(url)).toBe(401);
  pushing.sender().start();
  await pushing.registrar.register({ callSid: 'one', account: 'default', metadata: {} });
  await pushing.writer.report({ callSid: 'one', sighting: sightingNow('success') });
  await expect.poll(told).toMatch(/^msg_\S+ \{"type":"call.settled".*"callSid":"one"/);
  const statuses = 'select status from polykeep_internal.deliveries';
  await expect.poll(() => database.query(statuses)).toEqual([{ status: 1 }]);
  expect(webhook.enabled).toBe(true);
});

async function startReceiver(language: string, program: string, environment: Record<string, string>) {
  const path = join(folder, language === 'js' ? 'receiver.mjs' : 'receiver.py');
  await writeFile(path, codeIn(language));
  const started = spawn(program, [path], { env: { PATH: process.env.PATH, ...environment } });
  child = started;
  let output = '';
  started.stdout.on('data', (chunk) => {
    output += chunk;
  });
  return () => output;
}

/** Of a request that nobody signed; null where nobody listens yet. */
async function answerOf(url: string): Promise<number | null> {
  const headers = { 'webhook-id': 'a', 'webhook-timestamp': '1', 'webhook-signature': 'v1,AAAA' };
  return fetch(url, { method: 'POST', body: '{}', headers }).then(
    ({ status }) => status,
    () => null,
  );
}
