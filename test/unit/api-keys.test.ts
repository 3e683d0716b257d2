import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findKey, readApiKeys } from '../../src/api/door/api-keys.ts';

const KEY = 'a-key-of-sixteen-characters';
const hex = createHash('sha256').update(KEY).digest('hex');

function problemsOf(text: string): string[] {
  const problems: string[] = [];
  readApiKeys(text, problems);
  return problems;
}

describe('API_KEYS', () => {
  it('has a name, a scope and a key each, as it is or as its digest', () => {
    const keys = readApiKeys(`web:write:${KEY}, bi:read:sha256:${hex.toUpperCase()}`, []);
    expect(keys.map(({ name, scope }) => `${name} ${scope}`)).toEqual(['web write', 'bi read']);
    expect(keys[0]?.digest).toEqual(keys[1]?.digest);
    expect(JSON.stringify(keys)).not.toContain(KEY);
  });

  it.each([
    ['', 'must be NAME:SCOPE:KEY'],
    [KEY, 'must be NAME:SCOPE:KEY'],
    [`web:admin:${KEY}`, 'must be NAME:SCOPE:KEY'],
    [`web:read:${KEY},`, 'entry 2: must be NAME:SCOPE:KEY'],
    ['web:read:too-short', 'needs 16 characters'],
    ['web:read:sha256:abc', 'must be followed by 64 hex digits'],
    [`web:read:${KEY},web:write:${KEY}2`, 'entry 2: the name web is there twice'],
  ])('%j gets one plain line without the key', (text, line) => {
    const found = problemsOf(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(line);
    expect(found[0]).not.toContain(KEY);
  });
});

it('only the very key is found', () => {
  const keys = readApiKeys(`web:write:${KEY},bi:read:${KEY}-of-bi`, []);
  expect(findKey(keys, KEY)?.name).toBe('web');
  expect(findKey(keys, `${KEY}-of-bi`)?.name).toBe('bi');
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(findKey(keys, text)).toBeNull();
    }),
  );
  expect(findKey(keys, hex)).toBeNull();
  expect(findKey([], '')).toBeNull();
});
