import { describe, expect, it } from 'vitest';
import { postgresAddressOf } from '../../src/network/postgres-url.ts';

const SAID = 'postgres://me:p%40ss@h:5433/db';

it('a URL keeps all but what it says of TLS', () => {
  expect(postgresAddressOf(`${SAID}?sslmode=require&options=-c%20a%3Db&uselibpqcompat=true`)).toEqual({
    connectionString: `${SAID}?options=-c+a%3Db`,
    ssl: { rejectUnauthorized: false },
    sslnegotiation: 'postgres',
  });
});

it.each([
  'postgres:///db?host=/run/postgresql&sslmode=require',
  'postgres://me:secret@/db?host=/run/postgresql&sslmode=verify-full',
  'postgres://%2Frun%2Fpostgresql/db?sslmode=verify-full',
])('over a socket nothing is encrypted, as with libpq: %s', (url) => {
  expect(postgresAddressOf(url).ssl).toBe(false);
});

describe('what cannot be used is refused in words, without its password', () => {
  it.each([
    ['mysql://a:the-secret@b/c', 'must be a postgres://'],
    ['postgres://a:the-secret@h1:5432,h2:5432/db', 'names several hosts'],
    ['postgres://a:the-secret@h1,h2/db', 'names several hosts'],
    ['postgres://a:the-secret@/db?host=h1,h2', 'names several hosts'],
    ['postgres://a:the-secret/b@h/db', '%2F'],
    ['postgres://a:12#the-secret@h/db', '%23'],
    [`${SAID}?sslmode=prefer`, 'sslmode=prefer leaves it to the server'],
    [`${SAID}?sslmode=allow`, 'sslmode=allow leaves it to the server'],
    [`${SAID}?sslmode=no-verify`, 'sslmode must be one of disable, require, verify-ca, verify-full'],
    [`${SAID}?ssl=perhaps`, 'ssl must be true or false'],
    [`${SAID}?sslmode=verify-full&sslrootcert=/nowhere/ca.pem`, '/nowhere/ca.pem cannot be read (ENOENT)'],
  ])('%s', (url, words) => {
    expect(() => postgresAddressOf(url)).toThrow(words);
    expect(() => postgresAddressOf(url)).not.toThrow(/the-secret|p%40ss/);
  });
});
