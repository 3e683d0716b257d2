import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Agent } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { ENDINGS, endingOfCallSid, endingOfNumber } from '../../src/simulator/endings.ts';
import { MAIN, runPolykeep } from '../support/command-line.ts';
import { agentCallsPath, askPolyAi, statusPath, triggerCall } from '../support/polyai-requests.ts';

it('polykeep --version prints that of the package', async () => {
  expect(await runPolykeep(['--version'], {})).toEqual({
    code: 0,
    stdout: `${manifest.version}\n`,
    stderr: '',
  });
});

describe('polykeep simulate', () => {
  let child: ChildProcess;
  let exited: Promise<unknown[]>;
  let agent: Agent;
  let url: string;
  let said: string;

  beforeAll(async () => {
    agent = new Agent();
    const started = spawn(process.execPath, [MAIN, 'simulate', '--port', '0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child = started;
    exited = once(started, 'exit');
    said = '';
    for await (const line of createInterface(started.stdout)) {
      said += `${line}\n`;
      if (line.includes('+15550000001')) break;
    }
    url = /http:\S+/.exec(said)?.[0] ?? '';
  });

  afterAll(async () => {
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    await agent.destroy();
  });

  const ask = (callSid: string) => askPolyAi(agent, url + statusPath(callSid));

  it('tells each way to end, as docs/simulate.md does', async () => {
    const page = await readFile(new URL('../../docs/simulate.md', import.meta.url), 'utf8');
    for (const { name, digits, told } of ENDINGS) {
      expect(said).toContain(`${`${name}-…`.padEnd(12)} ${told}`);
      expect(page).toContain(`| \`${name}-…\` | ${digits === null ? '' : `\`…${digits}\``} | ${told} |`);
    }
  });

  it.each(ENDINGS)(
    'begins a call whose callSid begins with $name when it is first asked for',
    async (ending) => {
      const { status, text } = await ask(`${ending.name}-1`);
      const isCall = ending.life !== null;
      expect(status).toBe(isCall ? 200 : 400);
      expect(text).toContain(isCall ? '"status":"queued"' : '"error":"Invalid call SID format"');
    },
  );

  it('shows its end and its reason, likewise behind the prefix of PolyAI', async () => {
    await ask('OUT-busy-2');
    const end = '{"status":"failure","reason":"busy"}';
    await expect.poll(async () => (await ask('OUT-busy-2')).text, { interval: 200 }).toBe(end);
  });

  it('forgets a call that is to be lost before it has ended', async () => {
    await ask('lost-2');
    await expect.poll(async () => (await ask('lost-2')).status, { interval: 200 }).toBe(404);
  });

  it('knows no other call', async () => {
    expect(await ask('OUT-550e8400-e29b-41d4-a716-446655440000')).toMatchObject({ status: 404 });
    expect(endingOfCallSid('successful')).toBeNull();
  });

  it('places calls as PolyAI does, by both of its APIs', async () => {
    const placed = await triggerCall(agent, `${url}/v1/outbound-calling`, '{"to_number":"+15550000001"}');
    const { call_sid }: { call_sid: string } = JSON.parse(placed.text);
    expect((await ask(call_sid)).text).toBe('{"status":"queued","reason":""}');
    const byAgent = await triggerCall(
      agent,
      url + agentCallsPath('agent'),
      '{"toNumber":"+15550000002","environment":"live"}',
      { 'x-api-key': 'any' },
    );
    expect(byAgent).toMatchObject({ status: 200 });
  });

  it.each([
    [{ to_number: '+15550000001' }, 'no-answer'],
    [{ toNumber: '+15550000005' }, 'lost'],
    [{ to_number: '+15550000099' }, 'success'],
  ])('a call to %o ends as %s', (fields, name) => {
    expect(endingOfNumber(fields).name).toBe(name);
  });

  it.each([
    [['--port', `x`], 'polykeep: --port: must be a number\n'],
    [
      ['--life', 'queued:soon'],
      'polykeep: --life: must be STATUS:MILLISECONDS,…,STATUS, as queued:2000,calling:5000,success\n',
    ],
  ])('says what is wrong with %o', async (args, stderr) => {
    expect(await runPolykeep(['simulate', ...args], {})).toEqual({ code: 1, stdout: '', stderr });
  });

  it('says that its port is taken', async () => {
    const { port } = new URL(url);
    expect(await runPolykeep(['simulate', '--port', port], {})).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        `^polykeep: the simulator does not start: port ${port} is taken: give another by --port: listen EADDRINUSE`,
      ),
    });
  });
});
