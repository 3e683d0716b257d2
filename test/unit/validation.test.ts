import { Ajv } from 'ajv';
import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { ProblemError } from '../../src/api/problems.ts';
import { CallSid } from '../../src/api/schemas.ts';
import { checker, plainLines } from '../../src/api/validation.ts';

const Value = Type.Object(
  {
    kind: Type.Enum(['csv', 'ndjson']),
    size: Type.Optional(Type.Integer({ minimum: 1 })),
    at: Type.Optional(Type.String({ format: 'date-time' })),
    callSid: Type.Optional(CallSid),
    'a/b': Type.Optional(Type.Array(Type.String())),
    either: Type.Optional(Type.Union([Type.String(), Type.Object({ env: Type.String() })])),
  },
  { additionalProperties: false },
);
const check = checker(Value, 'value');

function errorsOf(value: unknown) {
  try {
    check(value);
  } catch (error) {
    if (error instanceof ProblemError) return [error.code, error.message, error.errors];
    throw error;
  }
  return null;
}

describe('a value that does not fit is a problem of its field:', () => {
  it.each<[unknown, string, string]>([
    [5, 'value', 'must be object'],
    [{}, 'kind', "must have required property 'kind'"],
    [{ kind: 'xml' }, 'kind', 'must be csv or ndjson'],
    [{ kind: 'csv', size: 0 }, 'size', 'must be >= 1'],
    [{ kind: 'csv', at: 'now' }, 'at', 'must be a time as 2026-03-15T10:00:00Z'],
    [{ kind: 'csv', callSid: 'a\n' }, 'callSid', 'must be letters, digits and -_.:~ alone, and not . or ..'],
    [{ kind: 'csv', 'a/b': [1] }, 'a/b.0', 'must be string'],
    [{ kind: 'csv', either: 1 }, 'either', 'must match a schema in anyOf'],
    [{ kind: 'csv', colour: 'red' }, 'colour', 'is not known'],
  ])('%j', (value, field, detail) => {
    expect(errorsOf(value)).toEqual(['invalid_request', `${field}: ${detail}`, [{ field, detail }]]);
  });
});

describe('in plain lines', () => {
  const validate = new Ajv({ allErrors: true, formats: { 'date-time': true } }).compile(Value);

  it('each mistake is one, with the words that are given', () => {
    validate({ kind: 'xml', size: 0, either: { env: 1 }, colour: 'red' });
    expect(plainLines(validate.errors ?? [], { either: 'must be a text or {"env": NAME}' })).toEqual([
      'colour is not known',
      'kind: must be csv or ndjson',
      'size: must be >= 1',
      'either: must be a text or {"env": NAME}',
    ]);
  });

  it('what is wrong as a whole has no name', () => {
    validate(5);
    expect(plainLines(validate.errors ?? [], {})).toEqual(['must be object']);
  });
});
