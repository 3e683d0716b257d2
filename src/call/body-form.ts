import type { CallState } from './call.ts';

/**
 * Most bodies of PolyAI's say no more than the columns of a call: of those the archive keeps the form alone, and makes
 * the very bytes of it again. Pure. `payload_of` in the migrations knows the same forms.
 */

/** What a body is made of. */
export type BodyParts = Pick<CallState, 'status' | 'reason' | 'createdAt' | 'lastUpdated'> & {
  callSid: string;
};

/** Numbers that are stored: one that was given out keeps its meaning. */
const COMPACT: ReadonlyMap<number, (parts: BodyParts) => Entries> = new Map<
  number,
  (parts: BodyParts) => Entries
>([
  [
    1,
    ({ status, reason }) => [
      ['status', status],
      ['reason', reason ?? ''],
    ],
  ],
  [
    2,
    ({ callSid, status, reason }) => [
      ['callSid', callSid],
      ['status', upper(status)],
      ['reason', reason ?? ''],
    ],
  ],
  [3, (parts) => withTimes(parts, inSeconds)],
  [4, (parts) => withTimes(parts, inMilliseconds)],
]);
/** The same with a space behind each `:` and `,`, as Python writes JSON. */
const SPACED = 10;

type Entries = readonly [key: string, value: string | null][];

function withTimes(
  { callSid, status, createdAt, lastUpdated }: BodyParts,
  text: (time: Date) => string,
): Entries {
  const textOf = (time: Date | null) => (time === null ? null : text(time));
  return [
    ['callSid', callSid],
    ['status', status],
    ['created_at', textOf(createdAt)],
    ['last_updated', textOf(lastUpdated)],
  ];
}

/** Of other letters Postgres and JavaScript know different capitals. */
const upper = (text: string | null) => (text !== null && /^[ -~]*$/.test(text) ? text.toUpperCase() : null);
const inMilliseconds = (time: Date) => time.toISOString();
const inSeconds = (time: Date) => `${time.toISOString().slice(0, -'.000Z'.length)}Z`;

/** How bodies of the forms begin: what begins otherwise has none, and costs no more than to see that. */
const BEGINNINGS: readonly [beginning: string, forms: readonly number[]][] = [
  ['{"status":"', [1]],
  ['{"callSid":"', [2, 3, 4]],
  ['{"status": "', [11]],
  ['{"callSid": "', [12, 13, 14]],
];

/** The form in which the parts make exactly this body; null where none does, and the body has to be kept. */
export function formOf(body: string, parts: BodyParts): number | null {
  const [, forms = []] = BEGINNINGS.find(([beginning]) => body.startsWith(beginning)) ?? [];
  return forms.find((form) => writtenAs(form, parts) === body) ?? null;
}

/** The body that had this form. Throws where a newer version stored a form that this one does not know. */
export function bodyOf(form: number, parts: BodyParts): string {
  const body = writtenAs(form, parts);
  if (body === null) throw new Error(`no body has the form ${form}`);
  return body;
}

/** null where no body has the form, or a part is missing. */
function writtenAs(form: number, parts: BodyParts): string | null {
  const entries = COMPACT.get(form % SPACED);
  return entries === undefined ? null : written(entries(parts), form >= SPACED);
}

/** null where a part is missing: no form has a null in it. */
function written(entries: Entries, isSpaced: boolean): string | null {
  if (entries.some(([, value]) => value === null)) return null;
  const [colon, comma] = isSpaced ? [': ', ', '] : [':', ','];
  return `{${entries.map(([key, value]) => `"${key}"${colon}${JSON.stringify(value)}`).join(comma)}}`;
}
