import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { registerFile } from '../../src/commands/register-file.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type Ran, runPolykeep } from '../support/command-line.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { FAST, type SidecarProcess, spawnSidecar } from '../support/sidecar.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';

const KEY = 'the-key-that-may-write';

let simulator: Simulator;
let test: TestDatabase;
let sidecar: SidecarProcess;
let url: string;
let folder: string;

beforeAll(async () => {
  simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN });
  test = await createDatabase();
  folder = await mkdtemp(join(tmpdir(), 'polykeep-track-'));
  sidecar = spawnSidecar({
    ...FAST,
    POLYAI_BASE_URL: simulator.url,
    DATABASE_URL: test.url,
    API_KEYS: `import:write:${KEY},bi:read:the-key-that-may-read`,
  });
  url = await sidecar.url();
});

afterEach(() =>
  test.query('truncate polykeep_internal.calls, polykeep_internal.unsettled, polykeep_internal.transitions'),
);

afterAll(async () => {
  await sidecar.end('SIGTERM');
  await simulator.stop();
  await test.drop();
  await rm(folder, { recursive: true, force: true });
});

/** The command as a person runs it. */
function track(
  args: string[],
  { input = '', env = { POLYKEEP_API_KEY: KEY } }: { input?: string; env?: Record<string, string> } = {},
): Promise<Ran> {
  return runPolykeep(['track', ...args], env, input);
}

async function fileWith(text: string): Promise<string> {
  const path = join(folder, 'calls.csv');
  await writeFile(path, text);
  return path;
}

const stored = () => test.query('select call_sid, account, metadata from polykeep.calls order by call_sid');

describe('polykeep track', () => {
  it('registers a csv with account and metadata, and again without harm', async () => {
    const path = await fileWith(
      '\ufeffcampaign,callSid,account,metadata.note\r\n' +
        'spring,OUT-1,default,"says ""hi"",\nthen hangs up"\r\n' +
        ',OUT-2,,\r\n' +
        '\r\n' +
        'autumn, OUT-3 ,,x\r\n',
    );
    const first = await track([path, '--url', url]);
    expect(first).toEqual({ code: 0, stdout: 'created 3, existing 0, invalid 0\n', stderr: '' });
    expect(await stored()).toEqual([
      {
        call_sid: 'OUT-1',
        account: 'default',
        metadata: { campaign: 'spring', note: 'says "hi",\nthen hangs up' },
      },
      { call_sid: 'OUT-2', account: 'default', metadata: {} },
      { call_sid: 'OUT-3', account: 'default', metadata: { campaign: 'autumn', note: 'x' } },
    ]);
    const again = await track([path, '--url', url]);
    expect(again).toMatchObject({ code: 0, stdout: 'created 0, existing 3, invalid 0\n' });
  });

  it('registers one callSid per line from standard input', async () => {
    const ran = await track(['-', '--url', url, '--key', KEY], {
      input: 'OUT-1\n\n  \n OUT-2\t\r\nOUT-1\na:b~c._-',
      env: {},
    });
    expect(ran).toEqual({ code: 0, stdout: 'created 3, existing 1, invalid 0\n', stderr: '' });
    expect((await stored()).map((row) => Object.values(row)[0])).toEqual(
      expect.arrayContaining(['OUT-1', 'OUT-2', 'a:b~c._-']),
    );
  });

  it('registers nothing of a file with a wrong line, and names each by file, line and field', async () => {
    const before = batchRequests();
    const path = await fileWith(
      `call_sid,account,city\nOUT-1,,Rome\nOUT 2,,Rome\n,,Paris\nOUT-3,,Rome,Italy\n${'x'.repeat(201)},,\n` +
        `OUT-4,,${'x'.repeat(9_000)}\nOUT-5,,a\0b\nOUT-6,,\n`,
    );
    const ran = await track([path, '--url', url]);
    expect(ran).toMatchObject({ code: 1, stdout: 'created 0, existing 0, invalid 6\n' });
    expect(ran.stderr.trim().split('\n')).toEqual([
      `${path}, line 3 ("OUT 2"): callSid: must be letters, digits and -_.:~ alone, and not . or ..`,
      `${path}, line 4: callSid: is empty`,
      `${path}, line 5 (OUT-3): has 4 columns instead of 3`,
      `${path}, line 6 ("${'x'.repeat(60)}…"): callSid: must NOT have more than 200 characters`,
      `${path}, line 7 (OUT-4): metadata: is larger than 8 KB`,
      `${path}, line 8 (OUT-5): metadata.city: must not have a NUL or half a character`,
    ]);
    expect(await stored()).toEqual([]);
    expect(batchRequests()).toBe(before);
  });

  it.each([
    ['no list of calls', 'id;campaign\n1;spring', ', line 1: is neither a header'],
    ['an end that cannot be read', `OUT-1\n${'OUT-2\n'.repeat(3_000)}"OUT-3`, ', line 3002: a quote'],
  ])('says in one line that a file is none: %s', async (_, text, said) => {
    const path = await fileWith(text);
    const ran = await track([path, '--url', url]);
    expect(ran).toMatchObject({ code: 1, stdout: '' });
    expect(ran.stderr).toMatch(/^[^\n]+; nothing was registered\n$/);
    expect(ran.stderr).toContain(`polykeep: ${path}${said}`);
    expect(await stored()).toEqual([]);
  });

  it('names what polykeep refuses in the same way, and registers the others', async () => {
    const path = await fileWith('callSid,account\nOUT-1,\nOUT-2,nobody\nOUT-3,default');
    const ran = await track([path, '--url', url]);
    expect(ran).toEqual({
      code: 1,
      stdout: 'created 2, existing 0, invalid 1\n',
      stderr: `${path}, line 3 (OUT-2): account: is not a configured account\n`,
    });
  });

  describe('with --dry-run', () => {
    // Nobody is there to be asked.
    const nowhere = ['--dry-run', '--url', 'http://127.0.0.1:1'];

    it('says how many calls it would register', async () => {
      const path = await fileWith('callSid,account\nOUT-1,\nOUT-2,nobody\n');
      expect(await track([path, ...nowhere], { env: {} })).toEqual({
        code: 0,
        stdout: 'would register 2, invalid 0\n',
        stderr: '',
      });
    });

    it('says what is wrong, and that it would register none', async () => {
      expect(await track(['-', ...nowhere], { input: 'OUT-1\nOUT-2,\n' })).toEqual({
        code: 1,
        stdout: 'would register 0, invalid 1\n',
        stderr: 'standard input, line 2 (OUT-2): has 2 columns instead of 1\n',
      });
    });
  });

  it('lists twenty of many invalid ones', async () => {
    const lines = Array.from({ length: 1_500 }, (_, n) => `OUT-${n},${n < 1_200 ? 'nobody' : ''}`);
    const ran = await track(['-', '--url', url], { input: `callSid,account\n${lines.join('\n')}` });
    expect(ran).toMatchObject({ code: 1, stdout: 'created 300, existing 0, invalid 1200\n' });
    const told = ran.stderr.trim().split('\n');
    expect(told).toHaveLength(21);
    expect(told[0]).toMatch(/^standard input, line 2 \(OUT-0\): account: /);
    expect(told[20]).toBe('… and 1180 more');
  });

  it('registers 5,000 calls in batches of a thousand, smaller where the metadata is long', async () => {
    const requestsBefore = batchRequests();
    const lines = Array.from({ length: 5_000 }, (_, n) => `OUT-${n}`);
    const ran = await track(['-', '--url', url], { input: lines.join('\n') });
    expect(ran).toMatchObject({ code: 0, stdout: 'created 5000, existing 0, invalid 0\n' });
    await expect.poll(() => batchRequests() - requestsBefore).toBe(5);
    const long = Array.from({ length: 1_000 }, (_, n) => `LONG-${n},${'é'.repeat(1_000)}`);
    const ranLong = await track(['-', '--url', url], { input: `callSid,note\n${long.join('\n')}` });
    expect(ranLong).toMatchObject({ code: 0, stdout: 'created 1000, existing 0, invalid 0\n' });
    await expect.poll(() => batchRequests() - requestsBefore).toBe(8);
  });

  const batchRequests = () => sidecar.log.filter((line) => line.path === '/v1/calls/batch').length;

  it('gives up on a file that has changed since it was checked', async () => {
    for (const text of ['OUT-1\nOUT 2', 'callSid;a\nOUT-1;b']) {
      const summary = await registerFile(Readable.from([Buffer.from(text)]), { url, apiKey: KEY }, () => {});
      expect(summary).toMatchObject({ created: 0, gaveUp: 'the file has changed since it was checked' });
    }
    expect(await stored()).toEqual([]);
  });

  it.each([
    ['another-key', 401],
    ['the-key-that-may-read', 403],
  ])('says in one line that polykeep does not let it in: %s', async (key, status) => {
    const ran = await track(['-', '--url', url, '--key', key], { input: 'OUT-1' });
    expect(ran).toMatchObject({ code: 1, stdout: 'created 0, existing 0, invalid 0\n' });
    expect(ran.stderr).toMatch(new RegExp(`^polykeep: http\\S+/v1/calls/batch answers ${status} .+\n$`));
  });

  it.each<[string[], RegExp]>([
    [[], /^polykeep: usage: polykeep track FILE/],
    [['/nowhere/calls.csv'], /^polykeep: \/nowhere\/calls.csv cannot be read: ENOENT/],
    [['-', '--url', 'nonsense'], /^polykeep: --url: must be/],
    [['-', '--nonsense'], /^polykeep: Unknown option '--nonsense'/],
  ])('says in one line what it cannot do: %j', async (args, said) => {
    const ran = await track(args);
    expect(ran).toMatchObject({ code: 1, stdout: '' });
    expect(ran.stderr).toMatch(said);
    expect(ran.stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('while polykeep is away', () => {
  const noProgress = () => {};

  it('a batch waits until it is back', async () => {
    const proxy = await tcpProxy(url);
    await proxy.cut();
    const lines = Array.from({ length: 1_500 }, (_, n) => `OUT-${n}\n`);
    const registered = registerFile(
      Readable.from(lines.map((line) => Buffer.from(line))),
      { url: proxy.url, apiKey: KEY },
      noProgress,
    );
    await proxy.mend();
    expect(await registered).toMatchObject({ created: 1_500, existing: 0, gaveUp: null });
    await proxy.close();
  });

  describe('and another server answers', () => {
    let server: Server;
    const asked: number[] = [];

    async function answering(listener: RequestListener): Promise<string> {
      asked.length = 0;
      server = createServer((request, response) => {
        asked.push(performance.now());
        listener(request, response);
      });
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
      const address = server.address();
      return typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '';
    }

    afterEach(() => void server.close());

    it('503 is tried again, no sooner than it says', async () => {
      const at = await answering((_, response) => {
        if (asked.length === 1) return void response.writeHead(503, { 'retry-after': '1' }).end();
        response.end(JSON.stringify({ results: [{ callSid: 'OUT-1', result: 'created' }] }));
      });
      const summary = await registerFile(
        Readable.from([Buffer.from('OUT-1')]),
        { url: at, apiKey: undefined },
        noProgress,
      );
      expect(summary).toMatchObject({ created: 1, gaveUp: null });
      const [first = 0, second = 0] = asked;
      expect(second - first).toBeGreaterThanOrEqual(990);
    });

    it('and it gives up where that does not end', async () => {
      const at = await answering((_, response) => response.writeHead(503).end('{"detail":"no"}'));
      const options = { url: at, apiKey: undefined, patienceMs: 1_000 };
      const summary = await registerFile(Readable.from([Buffer.from('OUT-1')]), options, noProgress);
      expect(summary).toMatchObject({
        created: 0,
        gaveUp: `gave up on ${at}/v1/calls/batch after 1 s: 503 no`,
      });
      expect(asked.length).toBeGreaterThan(1);
    });

    it('and one who stops in the middle of an answer is not waited for', async () => {
      const at = await answering((_, response) => response.writeHead(200).write('{"results":'));
      const options = { url: at, apiKey: undefined, patienceMs: 1_000, answerWithinMs: 300 };
      const summary = await registerFile(Readable.from([Buffer.from('OUT-1')]), options, noProgress);
      expect(summary.gaveUp).toBe(`gave up on ${at}/v1/calls/batch after 1 s: no whole answer within 0.3 s`);
      server.closeAllConnections();
    });

    it('and what is no polykeep is not taken for one', async () => {
      const at = await answering((_, response) => response.end('hello'));
      const summary = await registerFile(
        Readable.from([Buffer.from('OUT-1')]),
        { url: at, apiKey: undefined },
        noProgress,
      );
      expect(summary.gaveUp).toBe(`${at}/v1/calls/batch answers 200`);
    });
  });
});
