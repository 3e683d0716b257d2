import fc from 'fast-check';

/** Bodies of PolyAI's, as documented and otherwise. */

/** A piece of JSON as it comes, and as Postgres can keep it. */
interface Piece {
  raw: string;
  kept: string;
}

/** A body: `kept` is the JSON that its payload has to be equal to, as Postgres reads it. */
export interface GeneratedBody extends Piece {
  callSid: string;
}

const same = (raw: string): Piece => ({ raw, kept: raw });
const joined = (pieces: readonly Piece[]): Piece => ({
  raw: pieces.map(({ raw }) => raw).join(''),
  kept: pieces.map(({ kept }) => kept).join(''),
});

const TEXT_PIECES: readonly Piece[] = [
  ...['no answer', 'é', '无', '😀', 'İ', 'ß', 'K', ' '].map(same),
  ...['\\"', '\\\\', '\\/', '\\n', '\\u0041', '\\u00e9', '\\ud83d\\ude00', '\\\\u0000', '\\\\ud800'].map(
    same,
  ),
  { raw: '\\u0000', kept: '\\ufffd' },
  { raw: '\\ud800-', kept: '\\ufffd-' },
  { raw: '-\\uDFFF', kept: '-\\ufffd' },
];
const inQuotes = (piece: Piece): Piece => joined([same('"'), piece, same('"')]);
const text = fc.array(fc.constantFrom(...TEXT_PIECES), { maxLength: 4 }).map((pieces) => joined(pieces));
/** Longer than what is kept of a reason. */
const longText = fc.nat({ max: 5 }).map((more) => same('x'.repeat(998 + more)));

const STATUSES = ['queued', 'calling', 'ringing', 'in-progress', 'on hold', 'created'];
const ENDS = ['success', 'failure', 'no-answer', 'completed'];
const spelled = (status: string) => fc.constantFrom(status, status.toUpperCase(), ` ${status} `);
const status = fc
  .oneof({ arbitrary: fc.constantFrom(...STATUSES), weight: 9 }, fc.constantFrom(...ENDS))
  .chain(spelled)
  .map(same);
const oddStatus = fc
  .tuple(fc.constantFrom('hold', 'ÉTÉ', 'ΣΑΣ'), text)
  .map(([word, more]) => joined([same(word), more]));

const FIRST_MS = Date.parse('2026-11-24T10:00:00Z');
const seconds = fc.nat({ max: 9 }).map((second) => `2026-11-24T10:00:0${second}Z`);
const milliseconds = fc.nat({ max: 9_999 }).map((ms) => new Date(FIRST_MS + ms).toISOString());
const oddTime = fc.constantFrom(
  '2026-11-24T10:00:03',
  '2026-11-24T10:00:03.000Z',
  '2026-11-24T10:00:03.123456Z',
  '2026-11-24T12:00:03+02:00',
  '0001-01-01T00:00:00Z',
  '2999-01-01T00:00:00Z',
  'never',
);

const NUMBERS = [
  '1e30',
  '12345678901234567890.123',
  '9007199254740993',
  '-0',
  '0.1000',
  '1E400',
  '1e9999',
  '-2.5e-7',
];
const unknown = fc.oneof(
  fc.constantFrom(...NUMBERS, 'null', 'true', '[1, {"a" :2}]', '{}').map(same),
  text.map(inQuotes),
);

type Entry = readonly [key: string, value: Piece];
const entry = (key: string, value: string): Entry => [key, inQuotes(same(value))];

interface Spacing {
  colon: string;
  comma: string;
  around: string;
}
const COMPACT: Spacing = { colon: ':', comma: ',', around: '' };
const SPACED: Spacing = { colon: ': ', comma: ', ', around: '' };
const ODD: readonly Spacing[] = [
  { colon: ' :', comma: ',', around: '' },
  { colon: ':', comma: ', ', around: '' },
  { colon: ':', comma: ',\n  ', around: '\n' },
  { colon: ':', comma: ',', around: '\t' },
];

function write(entries: readonly Entry[], { colon, comma, around }: Spacing): Piece {
  const pieces = entries.flatMap(([key, value], index) => [
    same(`${index > 0 ? comma : ''}"${key}"${colon}`),
    value,
  ]);
  return joined([same(`${around}{`), ...pieces, same(`}${around}`)]);
}

/** The shapes that PolyAI documents: mid 2026, the Agents API, March 2026. */
function documentedEntries(callSid: string): fc.Arbitrary<Entry[]> {
  const reason = fc.constantFrom(
    '',
    'no answer',
    'call queueing: max timeout limit exceeded',
    'occupé',
    '无人接听',
  );
  const word = fc.constantFrom(...STATUSES, ...ENDS);
  const times = fc.oneof(fc.tuple(seconds, seconds), fc.tuple(milliseconds, milliseconds));
  return fc.oneof(
    fc.tuple(word, reason).map(([is, why]) => [entry('status', is), entry('reason', why)]),
    fc
      .tuple(word, reason)
      .map(([is, why]) => [
        entry('callSid', callSid),
        entry('status', is.toUpperCase()),
        entry('reason', why),
      ]),
    fc
      .tuple(word, times)
      .map(([is, [created, updated]]) => [
        entry('callSid', callSid),
        entry('status', is),
        entry('created_at', created),
        entry('last_updated', updated),
      ]),
  );
}

/** As PolyAI documents them, compact as JavaScript writes JSON or with spaces as Python does. */
export const documentedBody = (callSid: string): fc.Arbitrary<GeneratedBody> =>
  fc
    .tuple(documentedEntries(callSid), fc.constantFrom(COMPACT, SPACED))
    .map(([entries, spacing]) => ({ callSid, ...write(entries, spacing) }));

/** Any other that is a status of the call: another order, other spaces, keys, numbers, escapes. */
export function oddBody(callSid: string): fc.Arbitrary<GeneratedBody> {
  const entries = fc
    .record(
      {
        status: fc.oneof(status, oddStatus).map(inQuotes),
        reason: fc.oneof(text.map(inQuotes), longText.map(inQuotes), fc.constant(same('null'))),
        callSid: fc.constantFrom(callSid, callSid.toLowerCase()).map((sid) => inQuotes(same(sid))),
        created_at: fc.oneof(seconds, milliseconds, oddTime).map((time) => inQuotes(same(time))),
        last_updated: fc.oneof(seconds, milliseconds, oddTime).map((time) => inQuotes(same(time))),
        duration: unknown,
        'a key': unknown,
      },
      { requiredKeys: ['status'] },
    )
    .chain((record) =>
      fc.shuffledSubarray(Object.entries(record), { minLength: Object.keys(record).length }),
    );
  // The last of a key that comes twice counts.
  const twice = fc.boolean().map((is): Entry[] => (is ? [['status', inQuotes(same('queued'))]] : []));
  const mark = fc.constantFrom('', '', '\uFEFF');
  return fc
    .tuple(twice, entries, fc.constantFrom(COMPACT, SPACED, ...ODD), mark)
    .map(([first, rest, spacing, bom]) => {
      const { raw, kept } = write([...first, ...rest], spacing);
      return { callSid, raw: bom + raw, kept };
    });
}
