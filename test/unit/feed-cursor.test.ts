import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeFeedCursor, encodeFeedCursor, FEED_START } from '../../src/archive/feed-cursor.ts';

it('a cursor of the feed is read as it was made, for every position', () => {
  const position = fc.record({
    xid: fc.bigInt(0n, 2n ** 64n - 1n).map(String),
    callSid: fc.string({ unit: 'grapheme', maxLength: 200 }),
    seq: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  });
  fc.assert(
    fc.property(position, (position) => {
      expect(decodeFeedCursor(encodeFeedCursor(position))).toEqual(position);
    }),
  );
  expect(decodeFeedCursor(encodeFeedCursor(FEED_START))).toEqual(FEED_START);
});

it('any other text is no cursor, and never throws', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(decodeFeedCursor(text)).toBeNull();
    }),
  );
});
