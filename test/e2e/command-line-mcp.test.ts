import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { client as apiClient } from '../support/client.ts';
import { environmentOf, MAIN, runPolykeep, spawnPolykeep } from '../support/command-line.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { FAST, type SidecarProcess, spawnSidecar } from '../support/sidecar.ts';

const KEY = 'the-key-that-may-read';
const TOOLS = ['find_call', 'list_calls', 'call_statistics', 'health'];

let simulator: Simulator;
let test: TestDatabase;
let sidecar: SidecarProcess;
let url: string;

beforeAll(async () => {
  simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN, style: 'mid-2026' });
  test = await createDatabase();
  const open = { ...FAST, POLYAI_BASE_URL: simulator.url, DATABASE_URL: test.url };
  const registering = spawnSidecar(open);
  const { post, call } = apiClient(await registering.url());
  for (const [callSid, status, campaign] of [
    ['one', 'success', 'spring'],
    ['two', 'failure', 'autumn'],
  ]) {
    simulator.place({ callSid: `${callSid}`, script: [{ status: `${status}`, forMs: 0 }] });
    expect((await post('/v1/calls', { callSid, metadata: { campaign } })).status).toBe(201);
  }
  for (const callSid of ['one', 'two']) while ((await call(callSid)).outcome === null) await sleep(100);
  await registering.end('SIGTERM');
  sidecar = spawnSidecar({ ...open, API_KEYS: `assistant:read:${KEY}` });
  url = await sidecar.url();
});

afterAll(async () => {
  await sidecar.end('SIGTERM');
  await simulator.stop();
  await test.drop();
});

/** As an assistant starts it. */
async function assistant(environment: Record<string, string>): Promise<{
  client: Client;
  ask(name: string, input?: Record<string, unknown>): Promise<{ isError: boolean; answer: string }>;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const client = new Client({ name: 'test', version: '1' });
  const env = Object.fromEntries(
    Object.entries(environmentOf(environment)).map(([name, value]) => [name, value ?? '']),
  );
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [MAIN, 'mcp', '--url', url], env }),
  );
  return {
    client,
    async ask(name, input = {}) {
      const { content, isError = false } = await client.callTool({ name, arguments: input });
      const [first] = content;
      if (first?.type !== 'text') throw new Error('it answers no text');
      return { isError, answer: first.text };
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

describe('polykeep mcp', () => {
  it('has tools that read, and no others', async () => {
    await using asking = await assistant({ POLYKEEP_API_KEY: KEY });
    const { tools } = await asking.client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(TOOLS);
    expect(tools.filter(({ annotations }) => annotations?.readOnlyHint !== true)).toEqual([]);
    expect(tools[0]?.inputSchema).toMatchObject({ properties: { callSid: { type: 'string' } } });
  });

  it('finds a call, lists by filters, counts, and tells how polykeep is', async () => {
    await using asking = await assistant({ POLYKEEP_API_KEY: KEY });
    const json = async (name: string, input?: Record<string, unknown>): Promise<unknown> => {
      const { isError, answer } = await asking.ask(name, input);
      expect(isError, answer).toBe(false);
      return JSON.parse(answer);
    };
    expect(await json('find_call', { callSid: 'one' })).toMatchObject({
      outcome: 'success',
      transitions: [{ status: 'success' }],
    });
    const autumn = { metadata: { campaign: 'autumn' } };
    expect(await json('list_calls', autumn)).toMatchObject({ data: [{ callSid: 'two' }], nextCursor: null });
    expect(await json('list_calls', { outcome: 'success', limit: 1 })).toMatchObject({
      data: [{ callSid: 'one' }],
    });
    expect(await json('call_statistics', { groupBy: 'metadata.campaign', bucket: 'month' })).toMatchObject({
      data: [
        { group: 'autumn', outcomes: { failure: 1 } },
        { group: 'spring', outcomes: { success: 1 } },
      ],
    });
    expect(await json('health')).toMatchObject({ accounts: [{ name: 'default' }] });
  });

  it.each([
    ['find_call', { callSid: 'three' }, /"code":"call_not_found"/],
    ['list_calls', { registeredFrom: 'yesterday' }, /"field":"registeredFrom"/],
    ['list_calls', { limit: 1_000 }, /limit/],
    ['list_calls', { outcome: 'won' }, /outcome/],
  ])('says what is wrong with %s of %o', async (name, input, words) => {
    await using asking = await assistant({ POLYKEEP_API_KEY: KEY });
    expect(await asking.ask(name, input)).toEqual({ isError: true, answer: expect.stringMatching(words) });
  });

  it('says that its key is wrong, and not which it is', async () => {
    await using asking = await assistant({ POLYKEEP_API_KEY: 'no-key-of-these' });
    const { isError, answer } = await asking.ask('health');
    expect({ isError, answer }).toEqual({ isError: true, answer: expect.stringContaining('"status":401') });
    expect(answer).not.toContain('no-key-of-these');
  });

  it('writes nothing but the protocol to its output, to an older client too, and ends with its input', async () => {
    const child = spawnPolykeep(['mcp', '--url', url], { POLYKEEP_API_KEY: KEY });
    const ended = Promise.all([once(child, 'close'), text(child.stderr)]);
    const answers: unknown[] = [];
    createInterface(child.stdout).on('line', (line) => answers.push(JSON.parse(line)));
    const clientInfo = { name: 'old', version: '1' };
    for (const message of [
      {
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo },
      },
      { method: 'notifications/initialized' },
      { id: 2, method: 'tools/call', params: { name: 'find_call', arguments: { callSid: 'one' } } },
    ])
      child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    await expect.poll(() => answers).toHaveLength(2);
    child.stdin.end();
    expect(await ended).toEqual([[0, null], '']);
    expect(answers).toMatchObject([
      { jsonrpc: '2.0', id: 1, result: { serverInfo: { name: 'polykeep' } } },
      { jsonrpc: '2.0', id: 2, result: { content: [{ type: 'text' }] } },
    ]);
  });

  it('says that polykeep is away', async () => {
    await using asking = await assistant({ POLYKEEP_API_KEY: KEY });
    await sidecar.end('SIGTERM');
    expect(await asking.ask('health')).toEqual({
      isError: true,
      answer: expect.stringMatching(/^polykeep cannot be asked: fetch failed: .*ECONNREFUSED/),
    });
  });

  it('says what is wrong with its command line, on the other output', async () => {
    expect(await runPolykeep(['mcp', '--url', 'polykeep'], {})).toEqual({
      code: 1,
      stdout: '',
      stderr: 'polykeep: --url: must be an http:// or https:// URL\n',
    });
  });
});
