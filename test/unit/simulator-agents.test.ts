import { Agent } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import {
  AUTHORIZED,
  AUTHORIZED_FOR_AGENTS,
  agentCallsPath,
  agentStatusPath,
  askPolyAi,
  statusPath,
  TOKEN,
  triggerCall,
} from '../support/polyai-requests.ts';

let simulator: Simulator;
let agent: Agent;

beforeEach(async () => {
  agent = new Agent();
  simulator = await startSimulator({
    token: TOKEN,
    placed: () => ({ script: [{ status: 'no-answer', reason: 'rang out', forMs: 0 }] }),
  });
});

afterEach(async () => {
  await agent.destroy();
  await simulator.stop();
});

const ask = (path: string, headers: Record<string, string> = AUTHORIZED_FOR_AGENTS) =>
  askPolyAi(agent, simulator.url + path, headers);
const poll = (callSid: string, agentId = 'an-agent', environment = 'live') =>
  ask(agentStatusPath(agentId, callSid, environment));
const trigger = (agentId: string, body: unknown, headers: Record<string, string> = AUTHORIZED_FOR_AGENTS) =>
  triggerCall(agent, simulator.url + agentCallsPath(agentId), JSON.stringify(body), headers);

/** The envelope of the Agents API. */
function envelope(code: string) {
  return {
    success: false,
    error: expect.any(String),
    error_id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
    error_code: code,
    error_message: expect.any(String),
    data: null,
  };
}

describe('a call of the Agents API', () => {
  it('is told with its id, its status in capitals and its reason, and so in the journal', async () => {
    const callSid = simulator.place({ style: 'agents', script: [{ status: 'calling', forMs: Infinity }] });
    expect(callSid).toMatch(/^OUT-[0-9a-f-]{36}$/);
    expect((await poll(callSid)).text).toBe(`{"callSid":"${callSid}","status":"CALLING","reason":""}`);
    simulator.setStatus(callSid, 'failure', 'no answer');
    const { status, headers, text } = await poll(callSid);
    expect([status, headers['content-type']]).toEqual([200, 'application/json']);
    expect(text).toBe(`{"callSid":"${callSid}","status":"FAILURE","reason":"no answer"}`);
    expect(simulator.journal.polls(callSid)).toMatchObject([
      { httpStatus: 200, shown: { status: 'CALLING', reason: '' }, fault: null },
      { httpStatus: 200, shown: { status: 'FAILURE', reason: 'no answer' }, fault: null },
    ]);
  });

  it('is placed by its trigger for an agent and an environment', async () => {
    const body = { toNumber: '+442071234567', environment: 'sandbox', metadata: { a: 'b' } };
    const answer = await trigger('a/gent', body);
    const [callSid = ''] = simulator.calls.keys();
    expect(callSid).toMatch(/^OUT-/);
    expect(answer).toEqual({ status: 200, text: `{"callSid":"${callSid}","status":"QUEUED"}` });
    expect(simulator.calls.get(callSid)?.owner).toEqual({ agentId: 'a/gent', environment: 'sandbox' });
    expect(JSON.parse((await poll(callSid, 'a/gent', 'sandbox')).text)).toEqual({
      callSid,
      status: 'NO-ANSWER',
      reason: 'rang out',
    });
  });

  it('is not known to another agent, nor in another environment', async () => {
    await trigger('one', { toNumber: '+442071234567', environment: 'pre-release' });
    const [callSid = ''] = simulator.calls.keys();
    expect((await poll(callSid, 'one', 'pre-release')).status).toBe(200);
    for (const [agentId, environment] of [
      ['another', 'pre-release'],
      ['one', 'live'],
    ]) {
      const answer = await poll(callSid, agentId, environment);
      expect([answer.status, JSON.parse(answer.text)]).toEqual([404, envelope('NOT_FOUND')]);
    }
    expect(simulator.journal.polls(callSid)).toMatchObject([
      { httpStatus: 200 },
      { httpStatus: 404, shown: null },
      { httpStatus: 404, shown: null },
    ]);
  });

  it('is of any agent and environment where it is placed by hand, unless that says whose it is', async () => {
    const anybody = simulator.place({ style: 'agents' });
    const owned = simulator.place({ style: 'agents', agentId: 'one', environment: 'live' });
    const half = simulator.place({ style: 'agents', agentId: 'one' });
    const codes = async (callSid: string) => [
      (await poll(callSid, 'one', 'live')).status,
      (await poll(callSid, 'one', 'sandbox')).status,
      (await poll(callSid, 'another', 'live')).status,
    ];
    expect(await codes(anybody)).toEqual([200, 200, 200]);
    expect(await codes(half)).toEqual([200, 200, 404]);
    expect(await codes(owned)).toEqual([200, 404, 404]);
  });

  it('is forgotten as any other', async () => {
    const callSid = simulator.place({ style: 'agents' });
    simulator.forget(callSid);
    expect((await poll(callSid)).status).toBe(404);
  });
});

describe('either API', () => {
  it('tells the calls of the other, in a body of its own', async () => {
    const script = [{ status: 'failure', reason: 'busy', forMs: 0 }];
    const ofAgents = simulator.place({ style: 'agents', script, agentId: 'one', environment: 'live' });
    const outbound = async (callSid: string) => (await ask(statusPath(callSid), AUTHORIZED)).text;
    expect(await outbound(ofAgents)).toBe('{"status":"failure","reason":"busy"}');
    for (const style of ['march-2026', 'mid-2026'] as const) {
      const callSid = simulator.place({ style, script });
      const before = await outbound(callSid);
      expect((await poll(callSid)).text).toBe(`{"callSid":"${callSid}","status":"FAILURE","reason":"busy"}`);
      expect(await outbound(callSid)).toBe(before);
    }
  });

  it('has a header for the token that the other does not take', async () => {
    const callSid = simulator.place();
    const path = agentStatusPath('one', callSid, 'live');
    for (const headers of [{}, { 'x-api-key': 'another' }, AUTHORIZED]) {
      const answer = await ask(path, headers);
      expect([answer.status, JSON.parse(answer.text)]).toEqual([401, envelope('UNAUTHORIZED')]);
    }
    expect((await ask(statusPath(callSid), AUTHORIZED_FOR_AGENTS)).status).toBe(401);
    const body = { toNumber: '+442071234567', environment: 'live' };
    expect((await trigger('one', body, AUTHORIZED)).status).toBe(401);
    expect(simulator.calls.size).toBe(1);
    expect((await ask(path)).status).toBe(200);
  });
});

describe('a bad request to the Agents API', () => {
  it.each(['', '?environment=', '?environment=LIVE', '?environment=production', '?env=live'])(
    'asks for a status with %j',
    async (query) => {
      const callSid = simulator.place({ style: 'agents' });
      const answer = await ask(`${agentCallsPath('one')}/${callSid}/status${query}`);
      expect([answer.status, JSON.parse(answer.text)]).toEqual([400, envelope('BAD_REQUEST')]);
      expect(simulator.journal.polls(callSid)).toMatchObject([{ httpStatus: 400, shown: null, fault: null }]);
    },
  );

  it.each([
    null,
    {},
    { toNumber: '+442071234567' },
    { toNumber: '+442071234567', environment: 'production' },
    { environment: 'live' },
    { toNumber: '02071234567', environment: 'live' },
    { to_number: '+442071234567', environment: 'live' },
  ])('triggers with %j', async (body) => {
    const answer = await trigger('one', body);
    expect([answer.status, JSON.parse(answer.text)]).toEqual([400, envelope('BAD_REQUEST')]);
    expect(simulator.calls.size).toBe(0);
  });

  it('has an id that cannot be decoded, or a path that is none', async () => {
    expect((await ask(`${agentCallsPath('one')}/%E0%A4%A/status?environment=live`)).status).toBe(400);
    expect((await ask(`/v1/agents/%E0%A4%A/telephony/outbound-calls/x/status?environment=live`)).status).toBe(
      400,
    );
    const answer = await ask('/v1/agents/one/telephony');
    expect([answer.status, JSON.parse(answer.text)]).toEqual([404, envelope('NOT_FOUND')]);
  });
});

describe('a fault of the Agents API', () => {
  let callSid: string;

  beforeEach(() => {
    callSid = simulator.place({ style: 'agents', script: [{ status: 'queued', forMs: Infinity }] });
    simulator.setStatus(callSid, 'calling');
  });

  it('status has the envelope of this API, and leaves that of the other as it is', async () => {
    simulator.misbehave({ kind: 'status', code: 502, retryAfter: '3' }, { times: 2 });
    const answer = await poll(callSid);
    expect(answer.headers['retry-after']).toBe('3');
    expect([answer.status, JSON.parse(answer.text)]).toEqual([502, envelope('BAD_GATEWAY')]);
    const other = await ask(statusPath(callSid), AUTHORIZED);
    expect(JSON.parse(other.text)).toEqual({ error: expect.any(String), code: 'E502' });
    expect(simulator.journal.polls(callSid)).toMatchObject([
      { httpStatus: 502, shown: null, fault: 'status' },
      { httpStatus: 502, shown: null, fault: 'status' },
    ]);
  });

  it('stale tells the status before, in capitals', async () => {
    simulator.misbehave({ kind: 'stale' }, { times: 1 });
    expect(JSON.parse((await poll(callSid)).text)).toEqual({ callSid, status: 'QUEUED', reason: '' });
    expect(simulator.journal.shownStatuses(callSid)).toEqual(['QUEUED']);
  });

  it('wrong-call-sid and huge hold a success as this API has it', async () => {
    simulator.misbehave({ kind: 'wrong-call-sid' }, { times: 1 });
    const wrong = JSON.parse((await poll(callSid)).text);
    expect(wrong).toEqual({ callSid: expect.not.stringMatching(callSid), status: 'SUCCESS' });
    simulator.misbehave({ kind: 'huge' }, { times: 1 });
    expect(JSON.parse((await poll(callSid)).text)).toMatchObject({ status: 'SUCCESS' });
  });

  it('redirect leads to where this API would tell a success', async () => {
    simulator.misbehave({ kind: 'redirect' }, { times: 1 });
    const { status, headers } = await poll(callSid);
    expect(status).toBe(302);
    expect((await ask(`${headers.location}`)).text).toBe('{"status":"SUCCESS"}');
  });

  it('reset cuts the connection', async () => {
    simulator.misbehave({ kind: 'reset' }, { times: 1 });
    await expect(poll(callSid)).rejects.toThrow('ECONNRESET');
    expect((await poll(callSid)).status).toBe(200);
  });
});
