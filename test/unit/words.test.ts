import { DrizzleQueryError } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { wordsOf } from '../../src/words.ts';

describe('what an error says on one line', () => {
  it.each<[string, unknown, string]>([
    ['its own words', new Error('too late'), 'too late'],
    ['what lies under it', new Error('no calls', { cause: new Error('no disk') }), 'no calls: no disk'],
    ['once, where it has the cause in its words', new Error('a: b', { cause: new Error('b') }), 'a: b'],
    [
      'each address that was tried',
      new AggregateError([new Error('::1'), new Error('127.0.0.1')]),
      '::1; 127.0.0.1',
    ],
    ['its code, where it has no words', Object.assign(new Error(''), { code: 'ECONNRESET' }), 'ECONNRESET'],
    ['what was thrown that is no error', 'text', 'text'],
    [
      'what Postgres said under a statement',
      new DrizzleQueryError('select 1', [], new Error('no right')),
      'no right',
    ],
  ])('%s', (_, error, words) => {
    expect(wordsOf(error)).toBe(words);
  });
});
