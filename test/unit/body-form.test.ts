import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BodyParts, bodyOf, formOf } from '../../src/call/body-form.ts';
import { observe } from '../../src/polyai/observation.ts';
import { documentedBody, oddBody } from '../support/bodies.ts';

const CALL_SID = 'OUT-550e8400-e29b-41d4-a716-446655440000';

const partsOf = (body: string): BodyParts => ({ callSid: CALL_SID, ...observe(CALL_SID, body) });
const form = (body: string) => formOf(body, partsOf(body));

describe('a body that PolyAI documents', () => {
  it('has a form, which makes the very bytes of the parts', () => {
    fc.assert(
      fc.property(documentedBody(CALL_SID), ({ raw }) => {
        const found = form(raw);
        expect(found).not.toBeNull();
        expect(bodyOf(found ?? 0, partsOf(raw))).toBe(raw);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    [1, '{"status":"failure","reason":"call queueing: max timeout limit exceeded"}'],
    [1, '{"status":"queued","reason":""}'],
    [2, `{"callSid":"${CALL_SID}","status":"SUCCESS","reason":""}`],
    [
      3,
      `{"callSid":"${CALL_SID}","status":"success","created_at":"2024-03-15T10:00:00Z","last_updated":"2024-03-15T10:05:30Z"}`,
    ],
    [
      4,
      `{"callSid":"${CALL_SID}","status":"success","created_at":"2024-03-15T10:00:00.120Z","last_updated":"2024-03-15T10:05:30.000Z"}`,
    ],
  ])('has the form %i for ever: archives are full of it', (number, body) => {
    expect(form(body)).toBe(number);
    expect(form(body.replaceAll('":"', '": "').replaceAll('","', '", "'))).toBe(number + 10);
  });
});

describe('any other body', () => {
  it('has a form only where that makes its very bytes', () => {
    fc.assert(
      fc.property(oddBody(CALL_SID), ({ raw }) => {
        const found = form(raw);
        if (found !== null) expect(bodyOf(found, partsOf(raw))).toBe(raw);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['another order', '{"reason":"","status":"queued"}'],
    ['other spaces', '{"status" :"queued","reason":""}'],
    ['a space behind', '{"status":"queued","reason":""} '],
    ['spaces of both kinds', '{"status":"queued", "reason":""}'],
    ['a byte order mark', '\uFEFF{"status":"queued","reason":""}'],
    ['no reason', '{"status":"queued"}'],
    ['a reason that is null', '{"status":"queued","reason":null}'],
    ['a key more', '{"status":"queued","reason":"","n":1}'],
    ['a key twice', '{"status":"queued","status":"queued","reason":""}'],
    ['a number that JavaScript has not', '{"status":"queued","reason":"","n":9007199254740993}'],
    ['an escape that need not be', '{"status":"queued","reason":"\\u0041"}'],
    ['a NUL', '{"status":"queued","reason":"\\u0000"}'],
    ['half a pair', '{"status":"queued","reason":"\\ud800"}'],
    ['a reason that is cut', `{"status":"queued","reason":"${'x'.repeat(1_001)}"}`],
    ['capitals', '{"status":"QUEUED","reason":""}'],
    [
      'small letters where capitals are documented',
      `{"callSid":"${CALL_SID}","status":"queued","reason":""}`,
    ],
    ['other capitals than those of ASCII', `{"callSid":"${CALL_SID}","status":"ÉTÉ","reason":""}`],
    ['a callSid in another case', `{"callSid":"${CALL_SID.toLowerCase()}","status":"QUEUED","reason":""}`],
    [
      'microseconds',
      `{"callSid":"${CALL_SID}","status":"queued","created_at":"2024-03-15T10:00:00.123456Z","last_updated":"2024-03-15T10:05:30.000Z"}`,
    ],
    [
      'an offset',
      `{"callSid":"${CALL_SID}","status":"queued","created_at":"2024-03-15T10:00:00+00:00","last_updated":"2024-03-15T10:05:30+00:00"}`,
    ],
    [
      'one time in seconds, one in milliseconds',
      `{"callSid":"${CALL_SID}","status":"queued","created_at":"2024-03-15T10:00:00Z","last_updated":"2024-03-15T10:05:30.000Z"}`,
    ],
  ])('is kept: %s', (_, body) => {
    expect(form(body)).toBeNull();
  });

  it('is kept where the call has moved on from what it says', () => {
    const body = '{"status":"queued","reason":""}';
    expect(formOf(body, { ...partsOf(body), reason: 'no answer' })).toBeNull();
    expect(formOf(body, { ...partsOf(body), status: null })).toBeNull();
  });
});

it('a form of a later version is no body', () => {
  expect(() => bodyOf(9, partsOf('{"status":"queued"}'))).toThrow('no body has the form 9');
});
