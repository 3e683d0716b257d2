import fc from 'fast-check';

const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:~';

/** Every callSid that there may be: PolyAI's two shapes, numbers, the longest, and all others. */
export const callSids = fc.oneof(
  fc.uuid().map((uuid) => `OUT-${uuid}`),
  fc.uuid(),
  fc.integer().map(String),
  fc.constantFrom('...', '-_.:~', '__proto__', 'x'.repeat(200)),
  fc
    .string({ unit: fc.constantFrom(...CHARACTERS), minLength: 1, maxLength: 200, size: 'max' })
    .filter((text) => text !== '.' && text !== '..'),
);
