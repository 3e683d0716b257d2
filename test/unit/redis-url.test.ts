import { describe, expect, it } from 'vitest';
import { redisServersOf } from '../../src/network/redis-url.ts';

describe('a REDIS_URL leads to', () => {
  it.each(['redis://h:6379/2', 'rediss://user:secret@h', 'redis://[::1]:6379'])('one server: %s', (url) => {
    expect(redisServersOf(url)).toEqual({ kind: 'server', url });
  });

  it('the master that sentinels name, with a database and the passwords of both', () => {
    const url = 'redis-sentinel://:a%2Fb%40c@s1,s2:26380,[::1]:5/the%20master/3?sentinelPassword=d%26e';
    expect(redisServersOf(url)).toEqual({
      kind: 'sentinel',
      sentinels: [
        { host: 's1', port: 26_379 },
        { host: 's2', port: 26_380 },
        { host: '::1', port: 5 },
      ],
      master: 'the master',
      db: 3,
      login: { password: 'a/b@c' },
      sentinelPassword: 'd&e',
      isTls: false,
    });
  });

  it('a cluster, over TLS where it says so', () => {
    expect(redisServersOf('rediss-cluster://me:secret@h1:6379,h2')).toEqual({
      kind: 'cluster',
      nodes: [
        { host: 'h1', port: 6_379 },
        { host: 'h2', port: 6_379 },
      ],
      login: { username: 'me', password: 'secret' },
      isTls: true,
    });
  });
});

describe('what is none is refused in words, without its password', () => {
  it.each([
    ['http://:the-secret@h', 'must be redis://'],
    ['redis://:the-secret@h1:6379,h2:6379', 'names several servers'],
    ['redis://:the-secret/@h', '%2F'],
    ['redis-sentinel://:the-secret@h1,h2', 'names no master'],
    ['redis-sentinel://:the-secret@h1,h2/', 'names no master'],
    ['redis-sentinel://:the-secret@h1/m?db=1', 'means nothing here: db'],
    ['redis-sentinel://:the-secret@h1,,h2/m', 'HOST:PORT'],
    ['redis-cluster://:the-secret@h1:70000', 'HOST:PORT'],
    ['redis-cluster://:the-secret@h1/3', 'database 0 alone'],
    ['redis-cluster://:the-secret%@h1', '%25'],
  ])('%s', (url, words) => {
    expect(() => redisServersOf(url)).toThrow(words);
    expect(() => redisServersOf(url)).not.toThrow('the-secret');
  });
});
