import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Agent } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { TokenBucket } from '../../src/simulator/token-bucket.ts';
import { MAIN } from '../support/command-line.ts';
import {
  AUTHORIZED_FOR_AGENTS,
  agentStatusPath,
  askPolyAi,
  statusPath,
  TOKEN,
  triggerCall,
} from '../support/polyai-requests.ts';

describe('a rate limit', () => {
  /** How many of a burst it lets through. */
  function burst(limit: TokenBucket, now: number): number {
    let through = 0;
    while (through < 1_000 && limit.allows(now)) through++;
    return through;
  }

  it('lets a tenth of a second of requests through at once, and saves up for no more', () => {
    const limit = new TokenBucket(100, 0);
    expect(burst(limit, 0)).toBe(10);
    expect(burst(limit, 60_000)).toBe(10);
  });

  it('is refilled continuously', () => {
    const limit = new TokenBucket(100, 0);
    burst(limit, 0);
    expect(burst(limit, 9)).toBe(0);
    expect(burst(limit, 11)).toBe(1);
    expect(burst(limit, 41)).toBe(3);
  });

  it('lets one through at a time where it is below ten a second', () => {
    const limit = new TokenBucket(0.5, 0);
    expect([burst(limit, 0), burst(limit, 1_999), burst(limit, 2_001)]).toEqual([1, 0, 1]);
  });

  it.each([0, -1, NaN, Infinity])('cannot be %d', (perSecond) => {
    expect(() => new TokenBucket(perSecond, 0)).toThrow(RangeError);
  });
});

describe('a simulator with a rate limit', () => {
  let simulator: Simulator;
  let agent: Agent;

  beforeEach(async () => {
    agent = new Agent();
    // One request in 1,000 s: the first, and no other during a test.
    simulator = await startSimulator({ token: TOKEN, maxRequestsPerSecond: 0.001 });
  });

  afterEach(async () => {
    await agent.destroy();
    await simulator.stop();
  });

  const ask = (path: string, headers?: Record<string, string>) =>
    askPolyAi(agent, simulator.url + path, headers);
  const trigger = () =>
    triggerCall(agent, `${simulator.url}/v1/outbound-calling`, '{"to_number":"+442071234567"}');

  it('answers status requests beyond it with 429, in the envelope of their API', async () => {
    const callSid = simulator.place();
    expect((await ask(statusPath(callSid))).status).toBe(200);
    const outbound = await ask(statusPath(callSid));
    expect([outbound.status, outbound.headers['retry-after']]).toEqual([429, '1']);
    expect(JSON.parse(outbound.text)).toEqual({ error: 'Too many requests', code: 'E429' });
    const ofAgents = await ask(agentStatusPath('one', callSid, 'live'), AUTHORIZED_FOR_AGENTS);
    expect([ofAgents.status, ofAgents.headers['retry-after']]).toEqual([429, '1']);
    expect(JSON.parse(ofAgents.text)).toMatchObject({ success: false, error_code: 'TOO_MANY_REQUESTS' });
    const limited = { httpStatus: 429, shown: null, fault: null };
    expect(simulator.journal.polls(callSid)).toMatchObject([{ httpStatus: 200 }, limited, limited]);
  });

  it('places no call for a trigger beyond it, but has it on record', async () => {
    expect((await trigger()).status).toBe(200);
    expect((await trigger()).status).toBe(429);
    expect(simulator.calls.size).toBe(1);
    expect(simulator.triggers.map(({ callSid }) => callSid)).toEqual([...simulator.calls.keys(), null]);
  });

  it('counts neither requests without the token nor faults that were not struck', async () => {
    const callSid = simulator.place();
    expect((await ask(statusPath(callSid), {})).status).toBe(401);
    expect((await ask(statusPath(callSid))).status).toBe(200);
    simulator.misbehave({ kind: 'status', code: 500 }, { times: 1 });
    expect((await ask(statusPath(callSid))).status).toBe(429);
    simulator.setMaxRequestsPerSecond(null);
    expect((await ask(statusPath(callSid))).status).toBe(500);
  });

  it('has it lifted and set while it runs', async () => {
    const callSid = simulator.place();
    const codes = async () => [
      (await ask(statusPath(callSid))).status,
      (await ask(statusPath(callSid))).status,
    ];
    simulator.setMaxRequestsPerSecond(null);
    expect(await codes()).toEqual([200, 200]);
    simulator.setMaxRequestsPerSecond(0.001);
    expect(await codes()).toEqual([200, 429]);
    expect(() => simulator.setMaxRequestsPerSecond(0)).toThrow(RangeError);
  });

  it('may be a process of its own', async () => {
    const child = spawn(
      process.execPath,
      [MAIN, 'simulate', '--port', '0', '--max-requests-per-second', '0.001'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const exited = once(child, 'exit');
    try {
      const [line] = await once(createInterface(child.stdout), 'line');
      const [url = ''] = /http:\S+/.exec(`${line}`) ?? [];
      const status = async () => (await askPolyAi(agent, url + statusPath('unknown'))).status;
      expect([await status(), await status()]).toEqual([404, 429]);
    } finally {
      child.kill('SIGTERM');
    }
    await exited;
  });
});
