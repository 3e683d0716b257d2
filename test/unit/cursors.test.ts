import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Cursor, callCursor, FEED_START, feedCursor } from '../../src/archive/read/cursors.ts';

const ids = fc.bigInt(0n, 2n ** 63n - 1n).map(String);
const callPositions = fc.record({
  registeredAt: fc.date({
    min: new Date('0001-01-01T00:00:00.000Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  }),
  id: ids,
});
const feedPositions = fc.record({
  xid: fc.bigInt(0n, 2n ** 64n - 1n).map(String),
  callId: ids,
  seq: fc.integer({ min: 0, max: 2 ** 15 - 1 }),
});

const cursorOf = (tuple: unknown) => Buffer.from(JSON.stringify(tuple)).toString('base64url');

function keepsItsRules<Position>(cursor: Cursor<Position>, positions: fc.Arbitrary<Position>): void {
  it('gives back the position it was made of, for every position', () => {
    fc.assert(
      fc.property(positions, (position) => {
        const text = cursor.encode(position);
        expect(text).toMatch(/^[\w-]+$/);
        expect(cursor.decode(text)).toEqual(position);
      }),
    );
  });

  it('that is changed is refused, unless it is now the one spelling of another position', () => {
    const change = fc.record({
      at: fc.nat(),
      cut: fc.integer({ min: 0, max: 3 }),
      put: fc.string({ maxLength: 3 }),
    });
    fc.assert(
      fc.property(positions, change, (position, { at, cut, put }) => {
        const text = cursor.encode(position);
        const index = at % (text.length + 1);
        const changed = text.slice(0, index) + put + text.slice(index + cut);
        const read = cursor.decode(changed);
        if (read !== null) expect(cursor.encode(read)).toBe(changed);
      }),
    );
  });

  it('is no other text, and reading one never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void expect(cursor.decode(text)).toBeNull()));
    fc.assert(
      fc.property(fc.json(), (json) => {
        const text = Buffer.from(json).toString('base64url');
        const read = cursor.decode(text);
        if (read !== null) expect(cursor.encode(read)).toBe(text);
      }),
    );
  });
}

describe('a cursor of the list of calls', () => {
  keepsItsRules(callCursor, callPositions);

  it('goes on being read as it was given out', () => {
    const position = { registeredAt: new Date('2026-03-15T10:00:01.482Z'), id: '1' };
    expect(callCursor.encode(position)).toBe('WzE3NzM1Njg4MDE0ODIsIjEiXQ');
    expect(callCursor.decode('WzE3NzM1Njg4MDE0ODIsIjEiXQ')).toEqual(position);
  });

  it('has no position that a call cannot have', () => {
    expect(callCursor.decode(cursorOf([0, '7']))).not.toBeNull();
    for (const tuple of [
      {},
      [],
      [0],
      [0, '7', 1],
      ['0', '7'],
      [0, 7],
      [0.5, '7'],
      [1e99, '7'],
      [8_640_000_000_000_000, '7'],
      [Date.parse('0000-12-31T23:59:59.999Z'), '7'],
      [0, ''],
      [0, '-7'],
      [0, '07'],
      [0, '7\n'],
      [0, '9223372036854775808'],
    ]) {
      expect(callCursor.decode(cursorOf(tuple)), JSON.stringify(tuple)).toBeNull();
    }
    expect(callCursor.decode(`${cursorOf([0, '7'])}=`)).toBeNull();
    expect(callCursor.decode(Buffer.from('[0, "7"]').toString('base64url'))).toBeNull();
  });
});

describe('a cursor of the feed', () => {
  keepsItsRules(feedCursor, feedPositions);

  it('goes on being read as it was given out', () => {
    const position = { xid: '770', callId: '1', seq: 1 };
    expect(feedCursor.encode(position)).toBe('WyI3NzAiLCIxIiwxXQ');
    expect(feedCursor.decode('WyI3NzAiLCIxIiwxXQ')).toEqual(position);
  });

  it('has a start, before the first transition', () => {
    expect(feedCursor.decode(feedCursor.encode(FEED_START))).toEqual(FEED_START);
  });

  it('has no position that a transition cannot have', () => {
    expect(feedCursor.decode(cursorOf(['1', '7', 1]))).not.toBeNull();
    for (const tuple of [
      {},
      [],
      ['1', '7'],
      ['1', '7', 1, 1],
      [1, '7', 1],
      ['01', '7', 1],
      ['-1', '7', 1],
      ['18446744073709551616', '7', 1],
      ['1', 7, 1],
      ['1', '', 1],
      ['1', '9223372036854775808', 1],
      ['1', '7', '1'],
      ['1', '7', -1],
      ['1', '7', 0.5],
      ['1', '7', 2 ** 15],
    ]) {
      expect(feedCursor.decode(cursorOf(tuple)), JSON.stringify(tuple)).toBeNull();
    }
  });
});
