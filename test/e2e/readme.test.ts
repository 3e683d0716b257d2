import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { endingOfCallSid } from '../../src/simulator/endings.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { buildIn } from '../support/build.ts';
import { livesUntilSeen } from '../support/lives.ts';
import { FAST, type SidecarProcess, spawnSidecar } from '../support/sidecar.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const README_URL = '127.0.0.1:8080';
/** The calls that the examples name. */
const CALL_SIDS = [0, 1, 2, 3, 4].map((n) => `OUT-550e8400-e29b-41d4-a716-44665544000${n}`);

/** Blocks that no test can run as they stand, each with the reason. */
const NOT_RUN = new Map([
  ['npm ci && npm run demo', 'installs; the demo is a minute of watching'],
  ['npm ci && npm test', 'installs, and would run this test'],
  ['npx polykeep simulate', 'never ends; command-line-simulate.test.ts runs it'],
  [
    'POLYAI_BASE_URL=http://127.0.0.1:9099 POLYAI_AUTH_TOKEN=any npx polykeep serve',
    'never ends: what this test starts instead, with a simulator of its own',
  ],
  [
    'sh ops/make-secrets.sh\n' +
      'docker compose up --detach\n' +
      `curl -H "Authorization: Bearer $(cat secrets/api_key)" 'http://127.0.0.1:8080/v1/calls?limit=10'`,
    'needs a Docker engine; containers.test.ts runs the script',
  ],
  [
    'cd deploy/kubernetes/overlays/large\nkustomize edit set image polykeep=registry.example/polykeep:0.1.0',
    'changes a file of the project',
  ],
  [
    'kubectl create secret generic polykeep --from-env-file=polykeep.env\n' +
      'kubectl apply --kustomize deploy/kubernetes/overlays/large',
    'needs a cluster',
  ],
  [
    'url=$(docker compose run --rm -T migrate grant-reader grafana)\n' +
      `echo "$url" | sed 's#.*://grafana:##; s#@.*##' > secrets/grafana_reader_password\n` +
      'docker compose --profile observability up --detach',
    'needs a Docker engine',
  ],
  ['cp .env.example .env\nnpm start', 'never ends: what this test starts instead, on a port of its own'],
  [
    'npx node dist/main.js api\nnpx node dist/main.js worker\nnpx node dist/main.js migrate',
    'never end: process.test.ts runs them',
  ],
  [
    'NODE_EXTRA_CA_CERTS=/etc/ssl/company-ca.pem npx node dist/main.js serve',
    'never ends; redis-tls.test.ts and postgres-tls.test.ts trust an authority so',
  ],
  [
    [
      'npm install @opentelemetry/auto-instrumentations-node',
      'export OTEL_SERVICE_NAME=polykeep OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318',
      'export OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none OTEL_NODE_RESOURCE_DETECTORS=env,host,process',
      "NODE_OPTIONS='--import @opentelemetry/auto-instrumentations-node/register' node_modules/.bin/polykeep serve",
    ].join('\n'),
    'installs, and never ends; traces.test.ts does the same',
  ],
  ['npx node dist/main.js psql', 'interactive where there is a psql; psql-command.test.ts runs it'],
  ['psql "$url"', 'interactive, and psql does not come with npm; reporting.test.ts runs the queries'],
  [
    'pg_dump --format=custom --file=polykeep.dump "$DATABASE_URL"',
    'pg_dump does not come with npm, and may be no older than the server',
  ],
  [
    [
      'createdb --maintenance-db="$SERVER_URL" polykeep',
      'pg_restore --no-owner --no-privileges --exit-on-error --dbname="$DATABASE_URL" polykeep.dump',
      `psql "$DATABASE_URL" <<'END'`,
      'do $$ begin',
      '  for low in 0 .. (select max(call_id) from polykeep_internal.transitions) by 1000 loop',
      '    update polykeep_internal.transitions set xid = pg_current_xact_id() where call_id >= low and call_id < low + 1000;',
      '    commit;',
      '  end loop;',
      'end $$;',
      'vacuum analyze;',
      'END',
      'npx node dist/main.js migrate',
    ].join('\n'),
    'likewise',
  ],
  ['kill -HUP "$PID"', 'accounts.test.ts does so'],
]);

interface Block {
  page: string;
  line: number;
  code: string;
  /** The JSON that the page shows behind it. */
  shown: unknown;
}

const FENCE = /^```(?<language>\w*)\n(?<code>[\s\S]*?)^```$/gm;

async function blocksOf(page: string): Promise<Block[]> {
  const markdown = await readFile(join(ROOT, page), 'utf8');
  const fences = [...markdown.matchAll(FENCE)].map((match) => ({
    language: match.groups?.language,
    code: match.groups?.code ?? '',
    from: match.index,
    to: match.index + match[0].length,
  }));
  return fences.flatMap(({ language, code, from, to }, index) => {
    if (language !== 'sh') return [];
    const next = fences[index + 1];
    const isShown = next?.language === 'json' && markdown.slice(to, next.from).trim() === '';
    const line = markdown.slice(0, from).split('\n').length;
    return [{ page, line, code, shown: isShown ? JSON.parse(next.code) : undefined }];
  });
}

/** Without comments and what is around the commands. */
function commandsOf(code: string): string {
  return code
    .split('\n')
    .map((line) => line.replace(/ +# .*$/, '').trimEnd())
    .join('\n')
    .trim();
}

const docs = (await readdir(join(ROOT, 'docs'))).filter((name) => name.endsWith('.md'));
const pages = ['README.md', ...docs.map((name) => `docs/${name}`)];
const blocks = (await Promise.all(pages.map(blocksOf))).flat();
const examples = blocks.filter(({ code }) => !NOT_RUN.has(commandsOf(code)));

let simulator: Simulator;
let lives: ReturnType<typeof livesUntilSeen>;
let folder: string;
let sidecar: SidecarProcess;
let environment: Record<string, string | undefined>;

beforeAll(async () => {
  simulator = await startSimulator({
    token: FAST.POLYAI_AUTH_TOKEN,
    style: 'mid-2026',
    firstAsked: (callSid) => endingOfCallSid(callSid)?.life ?? null,
  });
  // The histories are those that the pages show.
  lives = livesUntilSeen(simulator, [
    { status: 'queued' },
    { status: 'calling' },
    { status: 'failure', reason: 'no answer' },
  ]);
  for (const callSid of CALL_SIDS) lives.place(callSid);
  folder = await mkdtemp(join(tmpdir(), 'polykeep-readme-'));
  // The embedded Postgres in it is another user's where we are root.
  await chmod(folder, 0o755);
  const main = await buildIn(folder);
  const settings = { ...FAST, POLYAI_BASE_URL: simulator.url, DATA_DIR: join(folder, 'data') };
  sidecar = spawnSidecar(settings, 'serve', main);
  const { host, port } = new URL(await sidecar.url());
  // The examples name the default port; curl is told where that is here, and that an HTTP error is a failure.
  await writeFile(
    join(folder, '.curlrc'),
    `connect-to = "${README_URL}:${host}"\nfail-with-body\nsilent\nshow-error\n`,
  );
  environment = {
    PATH: process.env.PATH,
    HOME: folder,
    CURL_HOME: folder,
    PORT: port,
    POLYAI_AUTH_TOKEN: FAST.POLYAI_AUTH_TOKEN,
  };
});

afterAll(async () => {
  await sidecar.end('SIGTERM');
  lives.stop();
  await simulator.stop();
  await rm(folder, { recursive: true, force: true });
});

async function runInShell(code: string): Promise<{ exit: unknown; stdout: string; stderr: string }> {
  const shell = spawn('sh', ['-e', '-c', code], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [exit]] = await Promise.all([
    text(shell.stdout),
    text(shell.stderr),
    once(shell, 'close'),
  ]);
  return { exit, stdout, stderr };
}

/** A value without its values: the keys of objects, and of a list what its elements have together. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [value.map(shapeOf).reduce(both)];
  if (!isObject(value)) return null;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, shapeOf(part)]));
}

function both(a: unknown, b: unknown): unknown {
  if (!isObject(a) || !isObject(b)) return a ?? b;
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return Object.fromEntries(keys.map((key) => [key, both(a[key], b[key])]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The last JSON that was answered: an example may have several requests. */
function lastAnswer(stdout: string): unknown {
  return JSON.parse(stdout.slice(Math.max(0, stdout.lastIndexOf('}{') + 1)));
}

it.each(examples)('$page, line $line', async ({ code, shown }) => {
  // What is neither this nor listed above is for the list, with a reason.
  expect(commandsOf(code)).toMatch(/\bcurl |dist\/main\.js /);
  expect(code).not.toContain('…');
  const { exit, stdout, stderr } = await runInShell(code);
  expect({ exit, stdout, stderr }).toEqual({ exit: 0, stdout, stderr });
  if (shown !== undefined) expect(shapeOf(lastAnswer(stdout))).toEqual(shapeOf(shown));
});

it('what is listed as not to be run is there', () => {
  const codes = blocks.map(({ code }) => commandsOf(code));
  expect([...NOT_RUN.keys()].filter((code) => !codes.includes(code))).toEqual([]);
});
