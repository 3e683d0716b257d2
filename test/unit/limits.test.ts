import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallSid } from '../../src/api/schemas.ts';
import { isCallSid } from '../../src/call/limits.ts';
import { callSids } from '../support/call-sids.ts';

const fitsSchema = new Ajv().compile(CallSid);

/** Said anew, character by character, so that a slip in the pattern shows. */
function isOne(text: string): boolean {
  const isAllowed = (c: string) =>
    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || '-_.:~'.includes(c);
  const isDots = text === '.' || text === '..';
  return text.length >= 1 && text.length <= 200 && !isDots && text.split('').every(isAllowed);
}

describe('a callSid', () => {
  it('is letters, digits and -_.:~, at most 200: each of PolyAI’s among them', () => {
    fc.assert(
      fc.property(callSids, (text) => {
        expect([isCallSid(text), fitsSchema(text)]).toEqual([true, true]);
        // It goes into a path as it is, but for the colon, which may be written either way.
        expect(encodeURIComponent(text).replaceAll('%3A', ':')).toBe(text);
        expect(new URL(text.replaceAll(':', '%3A'), 'http://host/v1/calls/').pathname).not.toBe('/v1/calls/');
      }),
    );
  });

  it('is nothing else, by the rule and by the schema alike', () => {
    const nearly = fc
      .tuple(
        callSids,
        fc.nat(),
        fc.oneof(fc.string({ unit: 'binary', maxLength: 2 }), fc.constantFrom(...' ;,/\n')),
      )
      .map(
        ([text, at, odd]) => text.slice(0, at % (text.length + 1)) + odd + text.slice(at % (text.length + 1)),
      );
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string({ unit: 'binary' }), fc.string()), (text) => {
        expect([isCallSid(text), fitsSchema(text)]).toEqual([isOne(text), isOne(text)]);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    '',
    '.',
    '..',
    'a b',
    'a;b',
    'a,b',
    'a\n',
    '\na',
    'a/b',
    'a%b',
    'a\0',
    'é',
    '\ud800',
    'x'.repeat(201),
  ])('is not %j', (text) => expect([isCallSid(text), fitsSchema(text)]).toEqual([false, false]));
});
