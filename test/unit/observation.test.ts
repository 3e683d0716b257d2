import { describe, expect, it } from 'vitest';
import { agentsApi } from '../../src/polyai/agents.ts';
import { triggeredCallSid } from '../../src/polyai/api.ts';
import { outboundCallingApi } from '../../src/polyai/outbound-calling.ts';

const observe = (body: unknown, callSid = 'OUT-1') =>
  outboundCallingApi.observe(callSid, JSON.stringify(body));

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
      body: JSON.stringify(body),
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

  it('with a byte order mark before it is read, and kept as it came', () => {
    const body = '\uFEFF{"status":"success","reason":""}';
    expect(outboundCallingApi.observe('OUT-1', body)).toMatchObject({ status: 'success', body });
  });

  it.each(['callSid', 'call_sid'])('that writes the %s in another case is of the same call', (key) => {
    const given = 'OUT-550E8400-E29B-41D4-A716-446655440000';
    expect(observe({ status: 'success', [key]: given }, given.toLowerCase()).status).toBe('success');
    expect(observe({ status: 'success', [key]: given.toLowerCase() }, given).status).toBe('success');
  });

  it('with an endless reason is kept with its first 1,000 characters, and whole in the payload', () => {
    const reason = `${'x'.repeat(999)}\u{1F600}${'y'.repeat(60_000)}`;
    const observation = observe({ status: 'failure', reason });
    expect(observation.reason).toBe(`${'x'.repeat(999)}\uFFFD`);
    expect(observation.payload).toMatchObject({ reason });
  });

  it('that is no JSON is malformed', () => {
    expect(() => outboundCallingApi.observe('OUT-1', '<!doctype html>')).toThrowError(
      expect.objectContaining({ code: 'malformed' }),
    );
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
  const segment = 'a%2Fb%3Fc%23d%20%C3%A9';
  expect(outboundCallingApi.statusPath('a/b?c#d é', {})).toBe(`/v1/outbound-calling/${segment}/status`);
  const scope = { agentId: 'a/1', environment: 'pre-release' };
  expect(agentsApi.statusPath('a/b?c#d é', scope)).toBe(
    `/v1/agents/a%2F1/telephony/outbound-calls/${segment}/status?environment=pre-release`,
  );
});

describe('the Agents API', () => {
  it('says its statuses in capitals', () => {
    const body = { callSid: 'OUT-1', status: 'FAILURE', reason: 'busy' };
    expect(agentsApi.observe('OUT-1', JSON.stringify(body))).toMatchObject({
      status: 'failure',
      reason: 'busy',
      payload: body,
    });
    expect(() => agentsApi.observe('OUT-2', JSON.stringify(body))).toThrowError(/callSid/);
  });

  it.each([
    [
      { success: false, error: 'Bad Request', error_message: 'no connector', error_code: 'E1' },
      'no connector',
    ],
    [{ success: false, error: 'Bad Request', error_message: '' }, 'Bad Request'],
    [{ success: false, error: null, error_code: 'E7' }, 'E7'],
    [{ success: true, data: {} }, null],
    ['<html>', null],
  ])('has its message in %j', (body, message) => {
    expect(agentsApi.errorMessage(body)).toBe(message);
  });

  it('is asked for the agent of the path, and the environment of the query or the body', () => {
    const params = { agentId: 'a-1' };
    expect(agentsApi.scopeOf({ params, query: { environment: 'live' }, body: undefined })).toEqual({
      agentId: 'a-1',
      environment: 'live',
    });
    expect(agentsApi.scopeOf({ params, query: {}, body: { environment: 'sandbox' } })).toEqual({
      agentId: 'a-1',
      environment: 'sandbox',
    });
  });
});

it.each([
  [{ callSid: '550e8400' }, '550e8400'],
  [{ call_sid: 'OUT-550e8400' }, 'OUT-550e8400'],
  [{ callSid: '', call_sid: 'OUT-1' }, 'OUT-1'],
  [{ callSid: 7 }, null],
  [['callSid'], null],
  [undefined, null],
])('the answer %j to a trigger tells of the call %s', (body, callSid) => {
  expect(triggeredCallSid(body)).toBe(callSid);
});
