import { describe, expect, it } from 'vitest';
import { outboundCallingApi } from '../../src/polyai/outbound-calling.ts';
import { retryAfterMs } from '../../src/polyai/retry-after.ts';

const api = outboundCallingApi('secret-token');
const observe = (body: unknown, callSid = 'OUT-1') => api.observe(callSid, body);

describe('a status body', () => {
  it('of March 2026 has the id and the times', () => {
    const body = {
      callSid: '550e8400-e29b-41d4-a716-446655440000',
      status: 'success',
      created_at: '2024-03-15T10:00:00Z',
      last_updated: '2024-03-15T10:05:30Z',
    };
    expect(observe(body, '550e8400-e29b-41d4-a716-446655440000')).toEqual({
      status: 'success',
      reason: null,
      createdAt: new Date('2024-03-15T10:00:00Z'),
      lastUpdated: new Date('2024-03-15T10:05:30Z'),
      payload: body,
    });
  });

  it('since mid 2026 has only status and reason', () => {
    expect(observe({ status: 'failure', reason: 'call queueing: max timeout limit exceeded' })).toMatchObject(
      {
        status: 'failure',
        reason: 'call queueing: max timeout limit exceeded',
        createdAt: null,
        lastUpdated: null,
      },
    );
    expect(observe({ status: 'queued', reason: '' }).reason).toBeNull();
  });

  it('is read in any case, and unknown statuses are kept', () => {
    expect(observe({ status: ' CALLING ' }).status).toBe('calling');
    expect(observe({ status: 'Voicemail-Left' }).status).toBe('voicemail-left');
  });

  it.each([
    ['no object', ['queued']],
    ['null', null],
    ['a number', 7],
    ['no status', { reason: '' }],
    ['a status that is no string', { status: 3 }],
    ['an empty status', { status: ' ' }],
    ['an endless status', { status: 'x'.repeat(201) }],
    ['another call', { status: 'success', callSid: 'OUT-2' }],
    ['another call, in the other spelling', { status: 'success', call_sid: 'OUT-2' }],
    ['nested without end', { status: 'success', more: JSON.parse('['.repeat(99) + ']'.repeat(99)) }],
  ])('with %s is malformed', (_, body) => {
    expect(() => observe(body)).toThrowError(expect.objectContaining({ code: 'malformed' }));
  });

  it('is made storable: Postgres takes neither NUL nor lone surrogates', () => {
    const { payload, reason } = observe({ status: 'failure', reason: 'a\0b', 'k\0': { deep: ['\ud800'] } });
    expect(reason).toBe('a\uFFFDb');
    expect(payload).toEqual({ status: 'failure', reason: 'a\uFFFDb', 'k\uFFFD': { deep: ['\uFFFD'] } });
  });

  it.each([
    ['2024-03-15T10:00:00', '2024-03-15T10:00:00.000Z'],
    ['2024-03-15T10:00:00.123456Z', '2024-03-15T10:00:00.123Z'],
    ['2024-03-15T12:00:00+02:00', '2024-03-15T10:00:00.000Z'],
  ])('has the time %s as %s', (text, iso) => {
    expect(observe({ status: 'queued', last_updated: text }).lastUpdated?.toISOString()).toBe(iso);
  });

  it.each([
    'yesterday',
    '2024-13-45T10:00:00Z',
    1710496800,
    null,
    '+012024-03-15T10:00:00Z',
    '0000-01-01T00:00:00Z',
  ])('has no time where it says %s', (value) => {
    expect(observe({ status: 'queued', last_updated: value }).lastUpdated).toBeNull();
  });
});

it('a callSid is one segment of the path, whatever it is', () => {
  expect(api.statusRequest('a/b?c#d é').path).toBe('/v1/outbound-calling/a%2Fb%3Fc%23d%20%C3%A9/status');
});

describe('Retry-After', () => {
  const now = Date.parse('2026-11-24T12:00:00Z');
  it.each<[string | string[] | undefined, number | null]>([
    ['120', 120_000],
    ['0', 0],
    ['Tue, 24 Nov 2026 12:00:30 GMT', 30_000],
    ['Tue, 24 Nov 2026 11:00:00 GMT', 0],
    [['7', '9'], 7_000],
    ['soon', null],
    [undefined, null],
  ])('%s is %s ms', (header, ms) => {
    expect(retryAfterMs(header, now)).toBe(ms);
  });
});
