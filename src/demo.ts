import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Value } from 'typebox/value';
import { request } from 'undici';
import { CallJson } from './api/schemas.ts';
import { readConfig } from './config/config.ts';
import { createLog } from './log.ts';
import type { Step } from './simulator/life.ts';
import { type Simulator, startSimulator } from './simulator/simulator.ts';
import { startSidecar } from './wiring/sidecar.ts';

const TOKEN = 'demo-token';
const FORGET_AFTER_MS = 30_000;
const LOOK_EVERY_MS = 250;
const NEW_CALL_MS = 10_000;

const LIVES: { name: string; script: Step[] }[] = [
  { name: 'answered', script: life(2_000, 6_000, 'success') },
  { name: 'no answer', script: life(1_000, 9_000, 'failure', 'no answer') },
  {
    name: 'never placed',
    script: [{ status: 'queued', forMs: 7_000 }, end('failure', 'call queueing: max timeout limit exceeded')],
  },
];

function life(queuedMs: number, callingMs: number, status: string, reason?: string): Step[] {
  return [
    { status: 'queued', forMs: queuedMs },
    { status: 'calling', forMs: callingMs },
    end(status, reason),
  ];
}

function end(status: string, reason = ''): Step {
  return { status, reason, forMs: 0 };
}

/**
 * A few calls from registration to a history that outlives PolyAI's, with everything real but PolyAI: the sidecar as
 * `npm start` runs it, its own Postgres (in a folder that is removed again), and HTTP. With `keep` it stays, with new
 * calls now and then, until it is interrupted.
 */
export async function runDemo({ keep = false, port = '0' } = {}): Promise<void> {
  const running = new AsyncDisposableStack();
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());
  try {
    const dataDir = await mkdtemp(join(tmpdir(), 'polykeep-demo-'));
    running.defer(() => rm(dataDir, { recursive: true, force: true }));
    const simulator = await startSimulator({
      token: TOKEN,
      forgetAfterMs: FORGET_AFTER_MS,
      style: 'mid-2026',
    });
    running.defer(() => simulator.stop());
    say(
      'Starting polykeep with a Postgres of its own, beside a simulated PolyAI that forgets calls after 30 s …',
    );
    const config = readConfig('serve', {
      POLYAI_AUTH_TOKEN: TOKEN,
      POLYAI_BASE_URL: simulator.url,
      DATA_DIR: dataDir,
      PORT: port,
    });
    const sidecar = await startSidecar({ config, role: 'serve', log: (await createLog('error')).log });
    running.defer(() => sidecar.stop());
    const url = sidecar.url ?? '';
    await show(simulator, url, interrupted.signal);
    if (keep) await goOn(simulator, url, interrupted.signal);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
  } finally {
    await running.disposeAsync();
  }
  process.exit(0);
}

async function show(simulator: Simulator, polykeep: string, signal: AbortSignal): Promise<void> {
  const calls = LIVES.map(({ name, script }) => ({ name, callSid: simulator.place({ script }) }));
  const [first] = calls;
  if (first === undefined) return;
  for (const { name, callSid } of calls) await register(polykeep, callSid, name);

  const polyai = `${simulator.url}/v1/outbound-calling/${first.callSid}/status`;
  say(`Placed and registered ${calls.length} calls. While they live, try in another terminal:`);
  say('');
  say(`  curl ${polykeep}/v1/calls/${first.callSid}`);
  say(`  curl '${polykeep}/v1/calls?outcome=failure'`);
  say(`  curl '${polykeep}/v1/calls?metadata.name=answered'`);
  say(`  curl -X POST ${polykeep}/v1/calls -H 'content-type: application/json' -d '{"callSid":"my-own"}'`);
  say(`  curl -H 'X-PolyAi-Auth-Token: ${TOKEN}' ${polyai}`);
  say('');
  say(`or open the page:  ${polykeep}/`);
  say('');

  await printTransitions(polykeep, calls, signal);
  say('');
  say('All have ended. Waiting until PolyAI has forgotten them …');
  await forgotten(simulator, calls, signal);
  await sideBySide(polykeep, polyai, first.callSid);
}

/** Calls go on, one at a time. */
async function goOn(simulator: Simulator, polykeep: string, signal: AbortSignal): Promise<void> {
  say('');
  say(`It stays, with a new call every ${NEW_CALL_MS / 1000} s, until Ctrl-C:  ${polykeep}/`);
  for (let placed = 0; ; placed++) {
    const { name, script } = LIVES[placed % LIVES.length] ?? { name: '', script: [] };
    await register(polykeep, simulator.place({ script }), name);
    await sleep(NEW_CALL_MS, undefined, { signal });
  }
}

async function register(polykeep: string, callSid: string, name: string): Promise<void> {
  await request(`${polykeep}/v1/calls`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ callSid, metadata: { name } }),
  }).then(({ body }) => body.dump());
}

/** Until every call is settled: each transition once, as soon as the archive has it. */
async function printTransitions(
  polykeep: string,
  calls: readonly { name: string; callSid: string }[],
  signal: AbortSignal,
): Promise<void> {
  const open = new Set(calls);
  const printed = new Map(calls.map((call) => [call, 0]));
  while (open.size > 0) {
    for (const call of open) {
      const { transitions, outcome } = await readCall(polykeep, call.callSid);
      for (const { status, reason, observedAt } of transitions.slice(printed.get(call))) {
        say(`  ${observedAt.slice(11, 19)}  ${call.name.padEnd(13)} ${status.padEnd(9)} ${reason ?? ''}`);
      }
      printed.set(call, transitions.length);
      if (outcome !== null) open.delete(call);
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
}

async function forgotten(
  simulator: Simulator,
  calls: readonly { callSid: string }[],
  signal: AbortSignal,
): Promise<void> {
  const lives = calls.flatMap(({ callSid }) => simulator.calls.get(callSid) ?? []);
  while (!lives.every((call) => call.isForgotten(Date.now(), FORGET_AFTER_MS))) {
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
}

async function sideBySide(polykeep: string, polyai: string, callSid: string): Promise<void> {
  const answer = await request(polyai, { headers: { 'x-polyai-auth-token': TOKEN } });
  const theirs = [`HTTP ${answer.statusCode}`, await answer.body.text()];
  const call = await readCall(polykeep, callSid);
  const ours = [
    'HTTP 200',
    `outcome ${call.outcome}`,
    ...call.transitions.map(
      ({ seq, status, observedAt }) => `${seq}  ${status.padEnd(8)} seen ${observedAt}`,
    ),
  ];
  say('');
  say(`${callSid}, asked now:`);
  say('');
  row('PolyAI', 'polykeep');
  row('─'.repeat(44), '─'.repeat(44));
  for (let line = 0; line < Math.max(theirs.length, ours.length); line++)
    row(theirs[line] ?? '', ours[line] ?? '');
  say('');
  say('With your own account: POLYAI_AUTH_TOKEN=… npx polykeep serve');
}

async function readCall(polykeep: string, callSid: string): Promise<CallJson> {
  const { body } = await request(`${polykeep}/v1/calls/${callSid}`);
  return Value.Parse(CallJson, await body.json());
}

function row(left: string, right: string): void {
  say(`  ${left.padEnd(46)}│ ${right}`);
}

function say(line: string): void {
  console.log(line);
}
