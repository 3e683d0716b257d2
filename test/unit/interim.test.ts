import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InterimAnswers } from '../../src/polyai/interim.ts';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const HINTS = 'HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n';
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}';

/** What is left of the chunks. */
function read(interim: InterimAnswers, chunks: readonly string[]): string {
  return chunks.map((chunk) => interim.answerIn(Buffer.from(chunk, 'latin1')).toString('latin1')).join('');
}

/** The text in chunks that end at these shares of it. */
function cutAt(text: string, shares: readonly number[]): string[] {
  const places = [
    0,
    ...shares.map((share) => Math.floor(share * text.length)).sort((a, b) => a - b),
    text.length,
  ];
  return places.slice(1).map((place, n) => text.slice(places[n], place));
}

const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 });
const line = fc.stringMatching(/^[ -~]{0,40}$/);
const head = fc
  .record({
    version: fc.constantFrom('1.1', '1.0'),
    code: fc.constantFrom(100, 102, 103, 199),
    line,
    names: fc.array(line),
  })
  .map(({ version, code, line, names }) =>
    [`HTTP/${version} ${code} ${line}`, ...names.map((value) => `x: ${value}`), '', ''].join('\r\n'),
  );

describe('interim answers', () => {
  it.each<[string, string[]]>([
    ['none', [ANSWER]],
    ['103, 100 and the answer in one chunk', [HINTS + CONTINUE + ANSWER]],
    ['a 100 whose last line comes later', [CONTINUE.slice(0, -2), `\r\n${ANSWER}`]],
    ['a 100 in the middle of its code', [CONTINUE.slice(0, 10), CONTINUE.slice(10) + ANSWER]],
    ['2 KB of headers', [`HTTP/1.1 100 Continue\r\nx: ${'y'.repeat(2_000)}\r\n\r\n${ANSWER}`]],
    ['sixty', [CONTINUE.repeat(60) + ANSWER]],
    ['byte by byte', [...(HINTS + CONTINUE + ANSWER)]],
  ])('are taken out of what is read: %s', (_, chunks) => {
    expect(read(new InterimAnswers(), chunks)).toBe(ANSWER);
  });

  it('are taken out of any answers one after the other, however they are cut', () => {
    const exchange = fc.record({
      heads: fc.array(head, { maxLength: 5 }),
      rest: fc.constantFrom(
        ANSWER,
        'HTTP/1.1 404 Not Found\r\n\r\n',
        'HTTP/1.1 101 x\r\n\r\n',
        'no HTTP',
        CONTINUE + ANSWER,
      ),
      shares,
    });
    fc.assert(
      fc.property(fc.array(exchange), (exchanges) => {
        const interim = new InterimAnswers();
        for (const { heads, rest, shares } of exchanges) {
          interim.expect();
          const left = read(interim, cutAt(heads.join('') + rest, shares));
          expect(left).toBe(rest === CONTINUE + ANSWER ? ANSWER : rest);
        }
      }),
    );
  });

  it('what looks like one in the middle of an answer is a part of it', () => {
    fc.assert(
      fc.property(shares, (shares) => {
        const text = `${ANSWER.slice(0, -2)}${CONTINUE}`;
        expect(read(new InterimAnswers(), cutAt(text, shares))).toBe(text);
      }),
    );
  });

  it('a chunk of an answer is given on as it is', () => {
    const interim = new InterimAnswers();
    const chunk = Buffer.from(ANSWER);
    expect(interim.answerIn(chunk)).toBe(chunk);
    expect(interim.answerIn(chunk)).toBe(chunk);
  });

  it('are too much above 64 KB, with an end or without', () => {
    for (const endless of [CONTINUE, `HTTP/1.1 103 x\r\ny: ${'z'.repeat(1_000)}`]) {
      const interim = new InterimAnswers();
      let read = 0;
      for (; !interim.isTooMuch; read += endless.length) interim.answerIn(Buffer.from(endless));
      expect(read).toBeGreaterThan(64 * 1024 - endless.length);
      expect(read).toBeLessThan(66 * 1024 + endless.length);
    }
  });
});
