import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { NO_PROXIES } from '../../src/network/proxies.ts';
import { readAllowance } from '../../src/push/allowance.ts';
import { createPoster } from '../../src/push/post.ts';
import { createTargets, type Resolve } from '../../src/push/targets.ts';
import { type HttpProxy, startHttpProxy } from '../support/http-proxy.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';

let receiver: Receiver;
let proxy: HttpProxy;

beforeEach(async () => {
  receiver = await startReceiver();
  receiver.answer = (_delivery, response) => response.writeHead(204).end();
  proxy = await startHttpProxy({
    ...{ username: 'polykeep', password: 'secret' },
    hosts: { 'receiver.example': Number(new URL(receiver.url).port), 'inside.example': 1 },
  });
});

afterEach(async () => {
  await proxy.stop();
  await receiver.stop();
});

const ADDRESSES: Readonly<Record<string, string>> = {
  'inside.example': '169.254.169.254',
  'away.example': '127.0.0.1',
};

/** As where only the proxy knows the names outside. */
const resolve: Resolve = async (hostname) => {
  const address = ADDRESSES[hostname];
  if (address === undefined) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
  return [{ address, family: 4 }];
};

function post(url: string, except: string | null = null) {
  const allowance = readAllowance('loopback,receiver.example', []);
  const proxies = { ...NO_PROXIES, http: proxy.url, except };
  const poster = createPoster({ targets: createTargets(allowance, { proxies, resolve }), connections: 1 });
  onTestFinished(() => poster.close());
  return poster.post({ url, headers: {}, body: '{}' }, new AbortController().signal);
}

it('a webhook is reached through the proxy of the environment, by its name', async () => {
  expect(await post('http://receiver.example/hook')).toMatchObject({ result: 'success', statusCode: 204 });
  expect(proxy.asked).toEqual(['receiver.example:80']);
});

it('what NO_PROXY names is reached directly', async () => {
  expect(await post(receiver.url, '127.0.0.1')).toMatchObject({ result: 'success' });
  expect(proxy.asked).toEqual([]);
});

it('a name that leads to a forbidden address is not asked of the proxy', async () => {
  expect(await post('http://inside.example/hook')).toMatchObject({ result: 'forbidden' });
  expect(await post('http://169.254.169.254/hook')).toMatchObject({ result: 'forbidden' });
  expect(proxy.asked).toEqual([]);
});

it('a proxy that refuses is told of, without its password', async () => {
  proxy.answer(407);
  const { result, error } = await post('http://receiver.example/hook');
  expect({ result, error }).toEqual({
    result: 'unreachable',
    error: expect.stringMatching(/^the proxy 127\.0\.0\.1:\d+ answers 407/),
  });
});
