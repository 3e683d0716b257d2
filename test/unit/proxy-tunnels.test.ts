import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readProxy } from '../../src/network/proxies.ts';
import { ConnectionPool, OutgoingRequest } from '../../src/polyai/connections.ts';
import { Transport } from '../../src/polyai/transport.ts';
import { startWebServer, type WebRequest, type WebResponse } from '../../src/simulator/web-server.ts';
import { startHttpProxy } from '../support/http-proxy.ts';
import { PROTOCOLS } from '../support/protocols.ts';

const LOGIN = { username: 'polykeep', password: 'the-password/of+the-proxy=@' };
const LIMITS = { timeoutMs: 10_000, maxBytes: 1_000 };

type Listener = (request: WebRequest, response: WebResponse) => void;

describe.each(PROTOCOLS)('over $name through a proxy', ({ tls, allowH2 }) => {
  async function start(listener: Listener, proxyUrl?: string) {
    const server = await startWebServer({ host: '127.0.0.1', port: 0, tls }, listener);
    const proxy = await startHttpProxy(LOGIN);
    const settings = { timeoutMs: 1_000, allowH2, proxy: readProxy(proxyUrl ?? proxy.url) };
    const pool = new ConnectionPool(server.url, 1, settings);
    onTestFinished(async () => {
      await pool.destroy();
      await Promise.all([server.stop(), proxy.stop()]);
    });
    const transport = new Transport(pool);
    const ask = (timeoutMs = LIMITS.timeoutMs) =>
      transport.ask(new OutgoingRequest('GET', '/path?query', {}), { ...LIMITS, timeoutMs });
    return { proxy, ask, host: new URL(server.url).host };
  }

  it('requests go through a tunnel that is kept, and the server learns nothing of the proxy', async () => {
    const seen: string[] = [];
    const { proxy, ask, host } = await start(({ url, headers }, response) => {
      seen.push(`${url} ${headers['proxy-authorization']}`);
      response.end('{}');
    });
    for (let n = 0; n < 3; n++) expect(await ask()).toMatchObject({ statusCode: 200 });
    // Connections are shared, and thus made anew, once the server is found to speak HTTP/2.
    expect(proxy.asked).toEqual(Array(tls?.http2 ? 2 : 1).fill(host));
    expect(seen).toEqual(Array(3).fill('/path?query undefined'));
  });

  it('a tunnel is left when a request through it times out, and the next one has its own', async () => {
    let isSilent = true;
    const { proxy, ask } = await start((_request, response) => {
      if (!isSilent) response.end('{}');
      isSilent = false;
    });
    await expect(ask(500)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await ask()).toMatchObject({ statusCode: 200 });
    expect(proxy.asked).toHaveLength(2);
    await expect.poll(proxy.open).toBe(1);
  });

  it.each([
    [407, 'answers 407: it asks for another user and password'],
    [403, 'answers 403: it forbids the way to'],
    [502, 'answers 502: instead of leading to'],
    [0, 'no answer within 1000 ms'],
  ])('a proxy that answers %s is told of, without its login, and found again', async (status, words) => {
    const { proxy, ask } = await start((_request, response) => response.end('{}'));
    proxy.answer(status);
    const failure: unknown = await ask().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'unreachable', message: expect.stringContaining(words) });
    expect(failure).toMatchObject({ message: expect.stringMatching(/^PROXY_\w+: the proxy 127.0.0.1:\d+/) });
    expect(`${failure}`).not.toContain('the-password');
    proxy.answer(null);
    expect(await ask()).toMatchObject({ statusCode: 200 });
  });

  it('another password is refused', async () => {
    const { proxy, ask } = await start((_request, response) => response.end('{}'));
    const other = await start(() => {}, proxy.url.replace('the-password', 'another'));
    await expect(other.ask()).rejects.toMatchObject({ message: expect.stringContaining('answers 407') });
    expect(await ask()).toMatchObject({ statusCode: 200 });
  });

  it('a proxy that is away is told of', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const address = gone.address();
    const port = typeof address === 'object' ? address?.port : null;
    gone.close();
    await once(gone, 'close');
    const { ask } = await start(() => {}, `http://me:the-password@127.0.0.1:${port}`);
    await expect(ask()).rejects.toMatchObject({
      code: 'unreachable',
      message: `PROXY_UNREACHABLE: the proxy 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
    });
  });
});
