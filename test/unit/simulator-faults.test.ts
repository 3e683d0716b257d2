import { gunzipSync } from 'node:zlib';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Fault } from '../../src/simulator/fault.ts';
import { seededRandom } from '../../src/simulator/random.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { AUTHORIZED, askPolyAi, statusPath, TOKEN } from '../support/polyai-requests.ts';

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

const ask = (path: string) => askPolyAi(agent, simulator.url + path);
const poll = (callSid: string) => ask(statusPath(callSid));

describe('a fault', () => {
  let callSid: string;
  const right = '{"status":"calling","reason":""}';

  beforeEach(() => {
    callSid = simulator.place({ script: [{ status: 'queued', forMs: Infinity }], style: 'mid-2026' });
    simulator.setStatus(callSid, 'calling');
  });

  const last = () => simulator.journal.polls(callSid).at(-1);

  async function struck(fault: Fault) {
    simulator.misbehave(fault, { times: 1 });
    const answer = await poll(callSid);
    expect(last()).toMatchObject({ fault: fault.kind, httpStatus: answer.status });
    if (fault.kind !== 'stale') expect(last()?.shown).toBeNull();
    expect((await poll(callSid)).text).toBe(right);
    return answer;
  }

  it.each([400, 401, 403, 404, 408, 425, 429, 500, 502, 503, 504])('status %i', async (code) => {
    const answer = await struck({ kind: 'status', code });
    expect(answer.status).toBe(code);
    expect(JSON.parse(answer.text)).toEqual({ error: expect.any(String), code: `E${code}` });
    expect(answer.headers['retry-after']).toBeUndefined();
  });

  it('status with Retry-After and a body of its own', async () => {
    const fault: Fault = { kind: 'status', code: 429, retryAfter: '7', body: 'later' };
    const answer = await struck(fault);
    expect(answer).toMatchObject({ status: 429, text: 'later', headers: { 'retry-after': '7' } });
  });

  it('hang: no answer until the client goes away', async () => {
    simulator.misbehave({ kind: 'hang' });
    const asking = poll(callSid);
    asking.catch(() => {});
    await expect.poll(() => simulator.openRequests()).toBe(1);
    await agent.destroy();
    await expect(asking).rejects.toThrow();
    await expect.poll(() => simulator.openRequests()).toBe(0);
    expect(last()).toMatchObject({ fault: 'hang', finishedAt: null, httpStatus: null, shown: null });
  });

  it('slow-drip: the right answer byte by byte, shown when it is whole', async () => {
    simulator.misbehave({ kind: 'slow-drip', everyMs: 5 });
    const response = await request(`${simulator.url}${statusPath(callSid)}`, {
      headers: AUTHORIZED,
      dispatcher: agent,
    });
    const chunks: Buffer[] = [];
    for await (const chunk of response.body) {
      if (chunks.length === 0) expect(last()?.shown).toBeNull();
      chunks.push(chunk);
    }
    expect(chunks.length).toBeGreaterThan(5);
    expect(Buffer.concat(chunks).toString()).toBe(right);
    expect(last()?.shown).toEqual({ status: 'calling', reason: '' });
  });

  it.each<Fault>([
    { kind: 'slow-drip', everyMs: 60_000 },
    { kind: 'delay', ms: 60_000 },
  ])('$kind shows nothing to a client that does not wait for it', async (fault) => {
    simulator.misbehave(fault);
    const asking = poll(callSid);
    asking.catch(() => {});
    await expect.poll(() => simulator.openRequests()).toBe(1);
    await agent.destroy();
    await expect(asking).rejects.toThrow();
    await expect.poll(() => simulator.openRequests()).toBe(0);
    expect(last()).toMatchObject({ fault: fault.kind, finishedAt: null, shown: null });
  });

  it('reset: the connection is cut before the answer', async () => {
    simulator.misbehave({ kind: 'reset' });
    await expect(poll(callSid)).rejects.toThrow('ECONNRESET');
    expect(last()).toMatchObject({ fault: 'reset', httpStatus: null, shown: null });
  });

  it('cut: the connection is cut in the middle of the body', async () => {
    simulator.misbehave({ kind: 'cut' });
    const response = await request(`${simulator.url}${statusPath(callSid)}`, {
      headers: AUTHORIZED,
      dispatcher: agent,
    });
    expect([response.statusCode, response.headers['content-length']]).toEqual([200, `${right.length}`]);
    await expect(response.body.text()).rejects.toThrow();
    expect(last()).toMatchObject({ fault: 'cut', httpStatus: null, shown: null });
  });

  it('html: 200 with a page', async () => {
    const answer = await struck({ kind: 'html' });
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'text/html']);
    expect(answer.text).toMatch(/^<!doctype html>/);
  });

  it('half-json: 200 with the first half, as long as promised', async () => {
    const answer = await struck({ kind: 'half-json' });
    expect(answer.text).toBe(right.slice(0, 16));
    expect(answer.headers['content-length']).toBe('16');
  });

  it.each([undefined, '{"status":7}', '[]', 'null'])('no-status: 200 with %s', async (body) => {
    const answer = await struck({ kind: 'no-status', ...(body === undefined ? {} : { body }) });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).not.toMatchObject({ status: expect.any(String) });
    if (body !== undefined) expect(answer.text).toBe(body);
  });

  it('wrong-call-sid: 200 with the success of another call', async () => {
    const answer = JSON.parse((await struck({ kind: 'wrong-call-sid' })).text);
    expect(answer).toEqual({ callSid: expect.not.stringMatching(callSid), status: 'success' });
  });

  it('huge: 200 with a status in over 64 KB', async () => {
    const answer = await struck({ kind: 'huge' });
    expect(answer.bytes.length).toBeGreaterThan(64 * 1024);
    expect(JSON.parse(answer.text)).toMatchObject({ status: 'success' });
  });

  it('redirect: 302 to where a success would be told', async () => {
    const answer = await struck({ kind: 'redirect' });
    expect(answer.status).toBe(302);
    expect((await ask(`${answer.headers.location}`)).text).toBe('{"status":"success"}');
  });

  it('stale: the status before this one, with its own time', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const march = simulator.place({
      style: 'march-2026',
      // A second, so that the times of the two differ.
      script: [
        { status: 'queued', forMs: 1_000 },
        { status: 'calling', forMs: 0 },
      ],
    });
    const queued = await poll(march);
    vi.setSystemTime(Date.now() + 1_000);
    expect((await poll(march)).text).toContain('calling');
    simulator.misbehave({ kind: 'stale' }, { callSid: march, times: 1 });
    expect((await poll(march)).text).toBe(queued.text);
    expect(simulator.journal.polls(march).at(-1)?.shown?.status).toBe('queued');

    expect((await struck({ kind: 'stale' })).text).toBe('{"status":"queued","reason":""}');
    const [, polled] = simulator.journal.polls(callSid).toReversed();
    expect(polled?.shown).toEqual({ status: 'queued', reason: '' });
  });

  it('gzip: the right answer, compressed though nobody asked for it', async () => {
    simulator.misbehave({ kind: 'gzip' });
    const answer = await poll(callSid);
    expect(answer.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(answer.bytes).toString('utf8')).toBe(right);
    expect(last()?.shown).toEqual({ status: 'calling', reason: '' });
  });

  it('delay: the right answer, late', async () => {
    simulator.misbehave({ kind: 'delay', ms: 60 });
    expect((await poll(callSid)).text).toBe(right);
    const { at = 0, finishedAt, shown } = last() ?? {};
    // A timer may be a millisecond early by the wall clock.
    expect((finishedAt ?? 0) - at).toBeGreaterThanOrEqual(59);
    expect(shown).toEqual({ status: 'calling', reason: '' });
  });

  it.each<Fault>([{ kind: 'delay', ms: 1 }, { kind: 'gzip' }, { kind: 'stale' }])(
    '$kind does not make a forgotten call known again',
    async (fault) => {
      simulator.forget(callSid);
      simulator.misbehave(fault);
      expect((await poll(callSid)).status).toBe(404);
      expect(last()).toMatchObject({ httpStatus: 404, shown: null });
    },
  );
});

describe('misbehave', () => {
  const fault: Fault = { kind: 'status', code: 500 };

  async function codes(polls: number, callSid: string): Promise<number[]> {
    const got: number[] = [];
    while (got.length < polls) got.push((await poll(callSid)).status);
    return got;
  }

  it('strikes so many times, and one call only where told so', async () => {
    const [one, other] = [simulator.place(), simulator.place()];
    simulator.misbehave(fault, { callSid: one, times: 2 });
    expect(await codes(1, other)).toEqual([200]);
    expect(await codes(3, one)).toEqual([500, 500, 200]);
    simulator.misbehave(fault, { times: 0 });
    expect(await codes(1, one)).toEqual([200]);
  });

  it('goes on until it is ended; the latest fault is the one that strikes', async () => {
    const callSid = simulator.place();
    const end = simulator.misbehave(fault);
    const endLater = simulator.misbehave({ kind: 'status', code: 503 });
    expect(await codes(2, callSid)).toEqual([503, 503]);
    endLater();
    expect(await codes(2, callSid)).toEqual([500, 500]);
    end();
    expect(await codes(2, callSid)).toEqual([200, 200]);
  });

  it('strikes a share at random, the same requests for the same seed', async () => {
    const runs: number[][] = [];
    for (const seed of [1, 1, 2]) {
      await simulator.stop();
      simulator = await startSimulator({ token: TOKEN, random: seededRandom(seed) });
      simulator.misbehave(fault, { share: 0.3 });
      runs.push(await codes(200, simulator.place()));
    }
    const [first, again, other] = runs;
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    const share = (first ?? []).filter((code) => code === 500).length / 200;
    expect(share).toBeGreaterThan(0.15);
    expect(share).toBeLessThan(0.45);
  });
});
