import type { Words } from '../api/validation.ts';

/** As the pattern of a JSON Schema: what an HTTP header can carry. */
export const VISIBLE_PATTERN = '^[\\x21-\\x7e]*$';

/** Formats of the configuration's text, for Ajv. */
export const FORMATS = {
  'http-url': isUrl('http:', 'https:'),
};

/** What the configuration's own patterns, formats and unions ask for. */
export const WORDS = {
  [VISIBLE_PATTERN]: 'must be visible ASCII characters without spaces',
  'http-url': 'must be an http:// or https:// URL',
  token: 'must be a string, {"env": NAME} or {"file": PATH}',
} satisfies Words;

function isUrl(...protocols: string[]): (text: string) => boolean {
  return (text) => URL.canParse(text) && protocols.includes(new URL(text).protocol);
}
