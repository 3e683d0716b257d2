import { Agent } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import type { TriggerFault } from '../../src/simulator/trigger.ts';
import {
  AUTHORIZED_FOR_AGENTS,
  agentCallsPath,
  askPolyAi,
  statusPath,
  TOKEN,
  triggerCall,
} from '../support/polyai-requests.ts';

const PATH = '/v1/outbound-calling';
const BODY = '{"to_number":"+442071234567"}';

let simulator: Simulator;
let agent: Agent;

beforeEach(async () => {
  agent = new Agent();
  simulator = await startSimulator({ token: TOKEN });
});

afterEach(async () => {
  await agent.destroy();
  await simulator.stop();
});

const trigger = (path = PATH, body = BODY, headers?: Record<string, string>) =>
  triggerCall(agent, simulator.url + path, body, headers);
const placed = () => [...simulator.calls.keys()];
const recorded = () => simulator.triggers.map(({ callSid }) => callSid);

describe('the record of triggers', () => {
  it('has each as it came, and the call it placed', async () => {
    const before = Date.now();
    const odd = ' {"to_number": "+442071234567",\n "metadata": {"name": "Zoë"}} ';
    await trigger(PATH, odd);
    const forAgents = '{"toNumber":"+442071234567","environment":"live"}';
    await trigger(agentCallsPath('one'), forAgents, AUTHORIZED_FOR_AGENTS);
    const [first, second] = placed();
    expect(simulator.triggers).toMatchObject([
      { path: PATH, body: odd, callSid: first, headers: { 'x-polyai-auth-token': TOKEN } },
      { path: agentCallsPath('one'), body: forAgents, callSid: second, headers: { 'x-api-key': TOKEN } },
    ]);
    for (const { at } of simulator.triggers) expect(at).toBeGreaterThanOrEqual(before);
  });

  it('has also those that were refused', async () => {
    expect((await trigger(PATH, 'no json')).status).toBe(400);
    expect((await trigger(PATH, BODY, { 'x-polyai-auth-token': 'another' })).status).toBe(401);
    expect(simulator.triggers).toMatchObject([
      { body: 'no json', callSid: null },
      { body: BODY, callSid: null },
    ]);
    expect(placed()).toEqual([]);
  });

  it('is not kept where the polls are not', async () => {
    await simulator.stop();
    simulator = await startSimulator({ token: TOKEN, keepPolls: false });
    expect((await trigger()).status).toBe(200);
    expect([simulator.triggers.length, simulator.calls.size]).toEqual([0, 1]);
  });
});

describe('a fault that strikes a trigger', () => {
  it('status: the error, and no call', async () => {
    simulator.misbehaveTriggers({ kind: 'status', code: 503 }, { times: 1 });
    const { status, text } = await trigger();
    expect([status, JSON.parse(text)]).toEqual([503, { error: expect.any(String), code: 'E503' }]);
    expect([placed(), recorded()]).toEqual([[], [null]]);
    expect((await trigger()).status).toBe(200);
  });

  it('status has the envelope of the Agents API there', async () => {
    simulator.misbehaveTriggers({ kind: 'status', code: 502 });
    const { text } = await trigger(agentCallsPath('one'), '{}', AUTHORIZED_FOR_AGENTS);
    expect(JSON.parse(text)).toMatchObject({ success: false, error_code: 'BAD_GATEWAY' });
  });

  it('html: a page, and no call', async () => {
    simulator.misbehaveTriggers({ kind: 'html' });
    const { status, text } = await trigger();
    expect([status, text]).toEqual([200, expect.stringMatching(/^<!doctype html>/)]);
    expect([placed(), recorded()]).toEqual([[], [null]]);
  });

  it('reset: the connection is cut, and no call placed', async () => {
    simulator.misbehaveTriggers({ kind: 'reset' });
    await expect(trigger()).rejects.toThrow('ECONNRESET');
    expect([placed(), recorded()]).toEqual([[], [null]]);
  });

  it('placed-then-cut: the client sees the same, but the call is placed', async () => {
    simulator.misbehaveTriggers({ kind: 'placed-then-cut' });
    await expect(trigger()).rejects.toThrow('ECONNRESET');
    const [callSid = ''] = placed();
    expect(recorded()).toEqual([callSid]);
    expect((await askPolyAi(agent, simulator.url + statusPath(callSid))).status).toBe(200);
  });

  it.each<[TriggerFault, number]>([
    [{ kind: 'hang' }, 0],
    [{ kind: 'delay', ms: 60_000 }, 1],
  ])('%j: no answer until the client goes away; calls placed: %i', async (fault, calls) => {
    simulator.misbehaveTriggers(fault);
    const triggering = trigger();
    triggering.catch(() => {});
    await expect.poll(() => simulator.triggers.length).toBe(1);
    await agent.destroy();
    await expect(triggering).rejects.toThrow();
    await expect.poll(() => simulator.openRequests()).toBe(0);
    expect(placed()).toHaveLength(calls);
    expect(recorded()).toEqual([placed()[0] ?? null]);
  });

  it('delay: the right answer, late', async () => {
    simulator.misbehaveTriggers({ kind: 'delay', ms: 5 });
    const { status, text } = await trigger();
    const [callSid] = placed();
    expect([status, text]).toEqual([200, JSON.stringify({ call_sid: callSid })]);
  });

  it.each<TriggerFault>([{ kind: 'delay', ms: 1 }, { kind: 'placed-then-cut' }])(
    '$kind places nothing where the body asks for no call',
    async (fault) => {
      simulator.misbehaveTriggers(fault);
      await trigger(PATH, '{}').catch(() => {});
      expect([placed(), recorded()]).toEqual([[], [null]]);
    },
  );

  it('leaves status requests alone, and theirs leave triggers alone', async () => {
    const end = simulator.misbehaveTriggers({ kind: 'status', code: 500 });
    const poll = async () => (await askPolyAi(agent, simulator.url + statusPath(callSid))).status;
    const callSid = simulator.place();
    expect([await poll(), (await trigger()).status]).toEqual([200, 500]);
    end();
    simulator.misbehave({ kind: 'status', code: 503 });
    expect([await poll(), (await trigger()).status]).toEqual([503, 200]);
  });
});
