import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Step } from '../../src/simulator/life.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { MAIN } from '../support/command-line.ts';
import { AUTHORIZED, askPolyAi, statusPath, TOKEN, triggerCall } from '../support/polyai-requests.ts';

const STILL: Step[] = [{ status: 'queued', forMs: Infinity }];
const LIFE: Step[] = [
  { status: 'queued', forMs: 200 },
  { status: 'calling', forMs: 200 },
  { status: 'failure', reason: 'no answer', forMs: 0 },
];

let simulator: Simulator;
let agent: Agent;

beforeEach(async () => {
  agent = new Agent();
  simulator = await startSimulator({ token: TOKEN });
});

afterEach(async () => {
  vi.useRealTimers();
  await agent.destroy();
  await simulator.stop();
});

/** In place of the one that runs with the token alone. */
async function start(options: SimulatorOptions = {}): Promise<void> {
  await simulator.stop();
  simulator = await startSimulator({ token: TOKEN, ...options });
}

/** Of what the simulator tells: a call's life goes on when the test says so. */
const stopClock = () => vi.useFakeTimers({ toFake: ['Date'] });
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

const ask = (path: string, headers?: Record<string, string>) =>
  askPolyAi(agent, simulator.url + path, headers);
const poll = (callSid: string) => ask(statusPath(callSid));
const trigger = (path: string, body: string) => triggerCall(agent, simulator.url + path, body);

describe('a call', () => {
  it('lives through its script and stays as it ended', async () => {
    stopClock();
    const callSid = simulator.place({ script: LIFE, style: 'mid-2026' });
    const queued = '{"status":"queued","reason":""}';
    const calling = '{"status":"calling","reason":""}';
    const failure = '{"status":"failure","reason":"no answer"}';
    const seen: string[] = [];
    for (const ms of [0, 199, 1, 199, 1, 3_600_000]) {
      pass(ms);
      seen.push((await poll(callSid)).text);
    }
    expect(seen).toEqual([queued, queued, calling, calling, failure, failure]);
  });

  it('is told with id and whole seconds in the body of March 2026, and without a reason', async () => {
    const callSid = simulator.place({ script: [{ status: 'failure', reason: 'busy', forMs: 0 }] });
    const answer = await poll(callSid);
    expect(answer.headers['content-type']).toBe('application/json');
    const second = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(JSON.parse(answer.text)).toEqual({
      callSid,
      status: 'failure',
      created_at: second,
      last_updated: second,
    });
    expect(simulator.journal.polls(callSid)[0]?.shown).toEqual({ status: 'failure', reason: '' });
  });

  it('has a callSid of its own, as its style has them, or the one it is given', async () => {
    const uuid = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}';
    expect(simulator.place({ style: 'march-2026' })).toMatch(new RegExp(`^${uuid}$`));
    expect(simulator.place({ style: 'mid-2026' })).toMatch(new RegExp(`^OUT-${uuid}$`));
    const odd = 'a/b?c d%';
    expect(simulator.place({ callSid: odd })).toBe(odd);
    expect((await poll(odd)).status).toBe(200);
  });

  it('is moved by hand, which drops what its script had still before it', async () => {
    const callSid = simulator.place({ script: LIFE, style: 'mid-2026' });
    simulator.setStatus(callSid, 'failure', 'cancelled');
    expect((await poll(callSid)).text).toBe('{"status":"failure","reason":"cancelled"}');
    simulator.setStatus(callSid, 'ringing');
    expect((await poll(callSid)).text).toBe('{"status":"ringing","reason":""}');
    const { changes = [] } = simulator.calls.get(callSid) ?? {};
    expect(changes.map(({ status }) => status)).toEqual(['queued', 'failure', 'ringing']);
  });

  it('is forgotten some time after its end, not before', async () => {
    stopClock();
    await start({ forgetAfterMs: 300 });
    const lasting = simulator.place({ script: STILL });
    const ended = simulator.place({ script: LIFE });
    const statuses: number[] = [];
    for (const ms of [400, 299, 1]) {
      pass(ms);
      statuses.push((await poll(ended)).status);
    }
    expect(statuses).toEqual([200, 200, 404]);
    expect((await poll(lasting)).status).toBe(200);
    expect(simulator.journal.shownStatuses(ended)).toEqual(['failure']);
  });

  it('is forgotten at once by hand, and never was there before it is placed', async () => {
    const callSid = simulator.place();
    simulator.forget(callSid);
    const gone = { error: 'Call not found', code: 'E404' };
    for (const sid of [callSid, 'never-placed']) {
      const answer = await poll(sid);
      expect([answer.status, JSON.parse(answer.text)]).toEqual([404, gone]);
    }
  });

  it('needs a script with at least one step', () => {
    expect(() => simulator.place({ script: [] })).toThrow('no steps');
  });
});

describe('a token', () => {
  it('is needed, and must be the one', async () => {
    const callSid = simulator.place();
    for (const headers of [{}, { 'x-polyai-auth-token': '' }, { 'x-polyai-auth-token': 'another' }]) {
      const answer = await ask(statusPath(callSid), headers);
      expect([answer.status, answer.text]).toEqual([
        401,
        '{"error":"Invalid or missing token","code":"E401"}',
      ]);
    }
    expect((await poll(callSid)).status).toBe(200);
    simulator.setToken('rotated');
    expect((await poll(callSid)).status).toBe(401);
    const statuses = simulator.journal.polls(callSid).map(({ httpStatus }) => httpStatus);
    expect(statuses).toEqual([401, 401, 401, 200, 401]);
  });

  it('may be any, but not none, where none is set', async () => {
    await simulator.stop();
    simulator = await startSimulator();
    const path = statusPath(simulator.place());
    expect((await ask(path, { 'x-polyai-auth-token': 'whatever' })).status).toBe(200);
    expect((await ask(path, {})).status).toBe(401);
  });
});

describe('the trigger', () => {
  it.each([
    ['/v1/outbound-calling', 'call_sid', /^OUT-/],
    ['/v1/outbound-calling/trigger', 'callSid', /^[0-9a-f]{8}-/],
  ])('%s places a call and answers with its %s', async (path, field, like) => {
    await start({ placed: () => ({ script: [{ status: 'ringing', forMs: 0 }] }) });
    const answer = await trigger(path, '{"to_number":"+442071234567","metadata":{"a":"b"}}');
    const [callSid = ''] = simulator.calls.keys();
    expect(callSid).toMatch(like);
    expect(answer).toEqual({ status: 200, text: JSON.stringify({ [field]: callSid }) });
    expect(JSON.parse((await poll(callSid)).text)).toMatchObject({ status: 'ringing' });
  });

  it.each(['', 'no json', 'null', '{}', '{"to_number":442071234567}', '{"to_number":"02071234567"}'])(
    'refuses %j with 400',
    async (body) => {
      expect((await trigger('/v1/outbound-calling', body)).status).toBe(400);
      expect(simulator.calls.size).toBe(0);
    },
  );

  it('survives a client that goes away in the middle of its body', async () => {
    const gone = new AbortController();
    const half = new Readable({ read: () => {} });
    half.push('{"to_num');
    const sending = request(`${simulator.url}/v1/outbound-calling`, {
      method: 'POST',
      headers: { ...AUTHORIZED, 'content-length': '100' },
      body: half,
      signal: gone.signal,
      dispatcher: agent,
    });
    sending.catch(() => {});
    await expect.poll(() => simulator.openRequests()).toBe(1);
    gone.abort();
    await expect(sending).rejects.toThrow();
    await expect.poll(() => simulator.openRequests()).toBe(0);
    expect(simulator.calls.size).toBe(0);
  });
});

it('a callSid that is not decodable is refused with 400, and other paths with 404', async () => {
  expect((await ask('/v1/outbound-calling/%E0%A4%A/status')).status).toBe(400);
  expect((await ask('/v1/outbound-calling/a/b/status')).status).toBe(404);
  expect((await ask('/')).status).toBe(404);
});

describe('the journal', () => {
  it('has every status request, when it came and was answered, and what it showed', async () => {
    const before = Date.now();
    const callSid = simulator.place({ script: STILL, style: 'mid-2026' });
    await poll(callSid);
    await poll(callSid);
    simulator.misbehave({ kind: 'status', code: 502 }, { times: 1 });
    await poll(callSid);
    simulator.setStatus(callSid, 'failure', 'busy');
    await poll(callSid);
    await poll('another');

    const { journal } = simulator;
    const polls = journal.polls(callSid);
    const queued = { httpStatus: 200, shown: { status: 'queued', reason: '' }, fault: null };
    expect(polls).toMatchObject([
      queued,
      queued,
      { httpStatus: 502, shown: null, fault: 'status' },
      { httpStatus: 200, shown: { status: 'failure', reason: 'busy' }, fault: null },
    ]);
    for (const { at, finishedAt } of polls) {
      expect(at).toBeGreaterThanOrEqual(before);
      expect(finishedAt).toBeGreaterThanOrEqual(at);
    }
    expect(journal.shownStatuses(callSid)).toEqual(['queued', 'failure']);
    expect([journal.total, journal.count(callSid), journal.count('another')]).toEqual([5, 4, 1]);
  });

  it('only counts where it is told not to keep the polls', async () => {
    await start({ keepPolls: false });
    const callSid = simulator.place();
    await poll(callSid);
    expect([simulator.journal.total, simulator.journal.count(callSid)]).toEqual([1, 1]);
    expect(simulator.journal.polls(callSid)).toEqual([]);
  });
});

describe('the server', () => {
  it('cuts what hangs when it stops', async () => {
    const callSid = simulator.place();
    simulator.misbehave({ kind: 'hang' });
    const asking = poll(callSid);
    asking.catch(() => {});
    await expect.poll(() => simulator.openRequests()).toBe(1);
    await simulator.stop();
    await expect(asking).rejects.toThrow();
  });

  it('does not start where its port is taken', async () => {
    const port = Number(new URL(simulator.url).port);
    await expect(startSimulator({ port })).rejects.toThrow('EADDRINUSE');
  });

  it.each([
    ['ringing:600000,success', 'ringing'],
    ['ringing:0,success', 'success'],
  ])('runs as a process of its own, with the life %s, and stops on SIGTERM', async (life, status) => {
    const child = spawn(
      process.execPath,
      [MAIN, 'simulate', '--port', '0', '--token', TOKEN, '--life', life],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const exited = once(child, 'exit');
    try {
      const [line] = await once(createInterface(child.stdout), 'line');
      const [url = ''] = /http:\S+/.exec(`${line}`) ?? [];
      const answer = await triggerCall(agent, `${url}/v1/outbound-calling`, '{"to_number":"+442071234567"}');
      const [callSid = ''] = /OUT-[0-9a-f-]+/.exec(answer.text) ?? [];
      expect((await askPolyAi(agent, url + statusPath(callSid))).text).toContain(status);
    } finally {
      child.kill('SIGTERM');
    }
    expect(await exited).toEqual([0, null]);
  });
});
