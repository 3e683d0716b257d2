import { Ajv, type ErrorObject, type Schema } from 'ajv';
import addFormats from 'ajv-formats';

/** Bodies are taken as they are: a number is no callSid. */
const forBodies = addFormats.default(new Ajv({ removeAdditional: false }));
/** Queries and paths are text, from which numbers are read. */
const forText = addFormats.default(
  // With strict numbers, what `Infinity` is read as is held against no minimum and maximum.
  new Ajv({ removeAdditional: false, coerceTypes: true, useDefaults: true, strictNumbers: false }),
);

/** Fastify's validator compiler. */
export function validatorCompiler({ schema, httpPart }: { schema: Schema; httpPart?: string }) {
  return (httpPart === 'body' ? forBodies : forText).compile(schema);
}

/** What is wrong with a value that is checked apart from its request's schema, in a few words; null if nothing. */
export function checker<T>(schema: Schema): (value: unknown) => { value: T } | { error: string } {
  const validate = forBodies.compile<T>(schema);
  return (value) => (validate(value) ? { value } : { error: describe(validate.errors?.[0]) });
}

function describe(error: ErrorObject | undefined): string {
  if (error === undefined) return 'is not valid';
  const path = error.instancePath.split('/').slice(1).join('.');
  return path === '' ? `${error.message}` : `${path}: ${error.message}`;
}
