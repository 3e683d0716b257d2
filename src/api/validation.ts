import { Ajv, type Schema } from 'ajv';
import addFormats from 'ajv-formats';
import { CALL_SID_PATTERN, CALL_SID_PREFIX_PATTERN, STORABLE_PATTERN } from '../call/limits.ts';
import { type FieldError, problem } from './problems.ts';

/** Bodies are JSON and are taken as they are: a number is no callSid. */
const forBodies = addFormats.default(new Ajv({ removeAdditional: false }));
/** Queries and paths are text, from which numbers are read. */
const forText = addFormats.default(
  // `Infinity` is a number to Ajv, which with strict numbers holds it against no minimum and maximum.
  new Ajv({ removeAdditional: false, coerceTypes: true, useDefaults: true, strictNumbers: false }),
);

/** Fastify's validator compiler. */
export function validatorCompiler({ schema, httpPart }: { schema: Schema; httpPart?: string }) {
  return (httpPart === 'body' ? forBodies : forText).compile(schema);
}

/**
 * A function that checks a value apart from its request's schema, and gives it back. It throws `invalid_request`,
 * where `whole` is what the value itself is called.
 */
export function checker<T>(schema: Schema, whole: string): (value: unknown) => T {
  const validate = forBodies.compile<T>(schema);
  return (value) => {
    if (validate(value)) return value;
    throw problem.invalidFields(fieldErrors(validate.errors ?? [], whole));
  };
}

/** Where a value does not fit its schema, as Ajv tells it, and Fastify after it. */
interface Misfit {
  keyword: string;
  instancePath: string;
  schemaPath: string;
  params: Readonly<Record<string, unknown>>;
  message?: string;
}

/** What is asked for, in words that go behind a field's name: by the pattern, the format, or the field of a union. */
export type Words = Readonly<Record<string, string>>;

const WORDS: Words = {
  [CALL_SID_PATTERN]: 'must be letters, digits and -_.:~ alone, and not . or ..',
  [CALL_SID_PREFIX_PATTERN]: 'must be letters, digits and -_.:~ alone',
  [STORABLE_PATTERN]: 'must not have a NUL or half a character',
  'date-time': 'must be a time as 2026-03-15T10:00:00Z',
};

/** What is wrong with each field; `whole` is what the value itself is called. */
export function fieldErrors(misfits: readonly Misfit[], whole: string): FieldError[] {
  return withoutBranches(misfits).map((misfit) => {
    const { missingProperty, additionalProperty, propertyName } = misfit.params;
    const property = missingProperty ?? additionalProperty ?? propertyName;
    const place = typeof property === 'string' ? [...placeOf(misfit), property] : placeOf(misfit);
    return { field: place.join('.') || whole, detail: detailOf(misfit, WORDS) };
  });
}

/** The same for people without an API, one plain line each; what has no place in a value is said of all of it. */
export function plainLines(misfits: readonly Misfit[], words: Words): string[] {
  return plainMisfits(misfits, words).map(({ line }) => line);
}

/** Each such line, with the place of what it is about. */
export function plainMisfits(misfits: readonly Misfit[], words: Words): { place: string[]; line: string }[] {
  return withoutBranches(misfits).map((misfit) => {
    const place = placeOf(misfit);
    const { additionalProperty: unknown } = misfit.params;
    const detail = detailOf(misfit, words);
    const line = typeof unknown === 'string' ? `${unknown} ${detail}` : detail;
    const whole = place.length === 0 ? line : `${place.join('.')}: ${line}`;
    return { place: typeof unknown === 'string' ? [...place, unknown] : place, line: whole };
  });
}

/** `a, b or c`. */
export function listed(values: readonly unknown[]): string {
  return values.length < 2 ? values.join() : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}

function detailOf(misfit: Misfit, words: Words): string {
  const { keyword, params, message = 'is not valid' } = misfit;
  if (keyword === 'additionalProperties') return 'is not known';
  if (keyword === 'enum' && Array.isArray(params.allowedValues)) {
    return `must be ${listed(params.allowedValues)}`;
  }
  if (keyword === 'type' && params.type === 'boolean') return 'must be true or false';
  const rule = keyword === 'anyOf' ? placeOf(misfit).at(-1) : (params.pattern ?? params.format);
  return words[`${rule}`] ?? message;
}

/** What fits no branch of a union is wrong in each of them: it is said once, of the union. */
function withoutBranches(misfits: readonly Misfit[]): Misfit[] {
  const unions = misfits.filter(({ keyword }) => keyword === 'anyOf').map(({ schemaPath }) => schemaPath);
  return misfits.filter(({ schemaPath }) => !unions.some((union) => schemaPath.startsWith(`${union}/`)));
}

/** The steps of a JSON pointer. */
function placeOf({ instancePath }: Misfit): string[] {
  return instancePath
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}
