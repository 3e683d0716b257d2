import { expect, it } from 'vitest';
import { NO_PROXIES, proxyFor, readProxy } from '../../src/network/proxies.ts';

const BOTH = { https: 'http://secure:3128', http: 'http://plain:3128', except: null };

it('the proxy is that of the URL’s scheme', () => {
  expect(proxyFor('https://api.polyai.app', BOTH)?.hostname).toBe('secure');
  expect(proxyFor('http://api.polyai.app', BOTH)?.hostname).toBe('plain');
  expect(proxyFor('https://api.polyai.app', { ...BOTH, https: null })).toBeNull();
  expect(proxyFor('https://api.polyai.app', NO_PROXIES)).toBeNull();
});

it.each([
  ['*', 'https://anything:1'],
  ['polyai.app', 'https://polyai.app'],
  ['polyai.app', 'https://api.polyai.app'],
  ['.polyai.app', 'https://api.polyai.app'],
  ['*.polyai.app', 'https://api.polyai.app'],
  ['a, POLYAI.app:443 b', 'https://api.polyai.app'],
  ['polyai.app:8443', 'https://polyai.app:8443'],
  ['127.0.0.1', 'http://127.0.0.1:9099'],
  ['[::1]:80', 'http://[::1]'],
])('NO_PROXY=%s is for %s', (except, url) => {
  expect(proxyFor(url, { ...BOTH, except })).toBeNull();
});

it.each([
  ['', 'https://polyai.app'],
  ['polyai.app', 'https://notpolyai.app'],
  ['polyai.app:8443', 'https://polyai.app'],
  ['api.polyai.app', 'https://polyai.app'],
  ['127.0.0.1', 'http://127.0.0.11'],
])('NO_PROXY=%s is not for %s', (except, url) => {
  expect(proxyFor(url, { ...BOTH, except })).not.toBeNull();
});

it('a proxy’s URL has its login, which is never told', () => {
  expect(readProxy('https://me:a%2Fb%40c@[::1]')).toEqual({
    hostname: '::1',
    port: 443,
    isTls: true,
    authorization: `Basic ${Buffer.from('me:a/b@c').toString('base64')}`,
  });
  expect(readProxy('proxy:8080')).toEqual({
    hostname: 'proxy',
    port: 8080,
    isTls: false,
    authorization: null,
  });
  for (const url of ['socks5://a:the-secret@b', 'http://a:the-secret/@b', 'http://a:the-secret%@b']) {
    expect(() => readProxy(url)).toThrow(/must be an http|is no URL/);
    expect(() => readProxy(url)).not.toThrow('the-secret');
  }
});
