import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jobIdOf } from '../../src/queue/job-id.ts';
import { callSids } from '../support/call-sids.ts';

describe('the job id of a call', () => {
  it('is its callSid where that is a PolyAI id', () => {
    expect(jobIdOf('OUT-550e8400-e29b-41d4-a716-446655440000')).toBe(
      'OUT-550e8400-e29b-41d4-a716-446655440000',
    );
  });

  it('is one that BullMQ takes: no colon, no whole number', () => {
    fc.assert(
      fc.property(callSids, (callSid) => {
        const id = jobIdOf(callSid);
        expect(id).not.toContain(':');
        expect(`${Number.parseInt(id, 10)}`).not.toBe(id);
      }),
    );
    for (const odd of ['12345', '-5', 'NaN', 'a:b', '0']) expect(jobIdOf(odd)).not.toBe(odd);
  });

  it('is never that of another call', () => {
    const taken = new Map<string, string>();
    const known = ['1', '-1', '-5', 'a:b', 'a.3Ab', 'wait', 'Wait'];
    for (const callSid of [...known, ...fc.sample(callSids, 2_000)]) {
      const id = jobIdOf(callSid);
      expect(taken.get(id) ?? callSid).toBe(callSid);
      taken.set(id, callSid);
    }
  });
});
