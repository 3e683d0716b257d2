import { Agent } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Fault } from '../../src/simulator/fault.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { askPolyAi, statusPath, TOKEN, triggerCall } from '../support/polyai-requests.ts';
import { PROTOCOLS } from '../support/protocols.ts';

describe.each(PROTOCOLS)('over $name', ({ tls, allowH2 }) => {
  let simulator: Simulator;
  let agent: Agent;

  beforeEach(async () => {
    agent = new Agent({ allowH2, connections: 1 });
    simulator = await startSimulator({ token: TOKEN, tls });
  });

  afterEach(async () => {
    await agent.destroy();
    await simulator.stop();
  });

  const poll = (callSid: string, from = agent) => askPolyAi(from, simulator.url + statusPath(callSid));
  const place = () => simulator.place({ script: [{ status: 'queued', forMs: Infinity }] });

  it('places calls and tells of them, and its journal says so', async () => {
    const placed = await triggerCall(
      agent,
      `${simulator.url}/v1/outbound-calling`,
      '{"to_number":"+442071234567"}',
    );
    const [callSid = ''] = /OUT-[0-9a-f-]+/.exec(placed.text) ?? [];
    expect(await poll(callSid)).toMatchObject({ status: 200, text: expect.stringContaining('queued') });
    await expect
      .poll(() => simulator.journal.polls(callSid))
      .toMatchObject([{ httpStatus: 200, fault: null, shown: { status: 'queued' } }]);
    expect(simulator.openRequests()).toBe(0);
  });

  it.each<Fault>([{ kind: 'reset' }, { kind: 'cut' }, { kind: 'hang' }])(
    'an answer that does not get through ($kind) has shown nothing',
    async (fault) => {
      const callSid = place();
      simulator.misbehave(fault, { times: 1 });
      const asked = poll(callSid).catch(() => 'failed');
      if (fault.kind === 'hang') {
        await expect.poll(() => simulator.openRequests()).toBe(1);
        await agent.destroy();
      }
      expect(await asked).toBe('failed');
      await expect.poll(() => simulator.openRequests()).toBe(0);
      expect(simulator.journal.polls(callSid)).toMatchObject([
        { finishedAt: null, httpStatus: null, shown: null, fault: fault.kind },
      ]);
    },
  );

  it('connections that are frozen answer nothing any more, and new ones do', async () => {
    const callSid = place();
    await poll(callSid);
    simulator.misbehave({ kind: 'delay', ms: 200 }, { times: 1 });
    const underWay = poll(callSid).catch(() => 'failed');
    await expect.poll(() => simulator.openRequests()).toBe(1);
    simulator.freezeConnections();
    const later = poll(callSid).catch(() => 'failed');
    const other = new Agent({ allowH2 });
    expect(await poll(callSid, other)).toMatchObject({ status: 200 });
    await other.destroy();
    await new Promise((done) => setTimeout(done, 400));
    expect(simulator.openRequests()).toBeGreaterThan(0);
    await agent.destroy();
    expect(await Promise.all([underWay, later])).toEqual(['failed', 'failed']);
    const shown = simulator.journal.polls(callSid).filter((entry) => entry.shown !== null);
    expect(shown).toHaveLength(2);
  });

  it('a trigger over a frozen connection places no call', async () => {
    await poll(place());
    simulator.freezeConnections();
    const calls = simulator.calls.size;
    const asked = triggerCall(agent, `${simulator.url}/v1/outbound-calling`, '{"to_number":"+442071234567"}');
    asked.catch(() => {});
    await expect.poll(() => simulator.openRequests()).toBe(1);
    expect(simulator.calls.size).toBe(calls);
    await agent.destroy();
    await expect(asked).rejects.toThrow();
  });
});
