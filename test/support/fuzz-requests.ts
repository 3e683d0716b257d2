import fc from 'fast-check';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { OpenapiDocument, Operation, Parameter } from './openapi-document.ts';

/** A request as it goes over the wire. */
export interface FuzzRequest {
  method: Operation['method'];
  path: string;
  headers: Record<string, string>;
  body: string | null;
}

export interface FuzzOptions {
  document: OpenapiDocument;
  /** Values that mean something to the server, by the name of a parameter. */
  known: Readonly<Record<string, readonly string[]>>;
  /** Of every request; what is made up comes on top. */
  headers: Readonly<Record<string, string>>;
}

/** Requests for an operation: right by its schemas, nearly right, and rubbish. */
export function requestsFor(operation: Operation, options: FuzzOptions): fc.Arbitrary<FuzzRequest> {
  const { parameters, method, path, body } = operation;
  const inPath = parameters.filter((parameter) => parameter.in === 'path');
  const inQuery = parameters.filter((parameter) => parameter.in === 'query');
  return fc
    .record({
      segments: fc.tuple(...inPath.map((parameter) => segment(parameter, options))),
      query: query(inQuery, options),
      headers:
        method === 'GET'
          ? oddHeaders
          : fc
              .tuple(oddHeaders, body === null ? often(noHeaders, contentType) : contentType)
              .map(([a, b]) => ({ ...a, ...b })),
      body: method === 'GET' ? fc.constant(null) : bodies(body?.schema ?? null, options),
    })
    .map(({ segments, query, headers, body }) => ({
      method,
      path:
        inPath.reduce(
          (filled, { name }, index) => filled.replace(`{${name}}`, () => segments[index] ?? ''),
          path,
        ) + query,
      headers: { ...options.headers, ...headers },
      body,
    }));
}

const often = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: usual }, { weight: 1, arbitrary: odd });

const ODD_TEXTS = [
  ...[
    '',
    ' ',
    '.',
    '..',
    '../../etc/passwd',
    '%',
    '%00',
    '\0',
    'a\0b',
    '\u007f',
    '\u200f',
    '\ud800',
    'x\udfff',
    '\ufeff',
    '💥',
  ],
  ...[
    '-1',
    '0',
    '1',
    '1.5',
    '1e309',
    '-1e309',
    '0x10',
    '99999999999999999999',
    'NaN',
    'Infinity',
    'null',
    'true',
    '[]',
    '{}',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    "' or 1=1 --",
    '\\',
    '"',
    '$1',
    '%s',
    '\r\nx: y',
    '<b>',
  ],
  ...[
    '0000-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999Z',
    '2026-02-30T00:00:00Z',
    '2026-01-01T00:00:00+24:00',
  ],
  ...[
    '2026-12-31T23:59:60Z',
    '-000001-01-01T00:00:00Z',
    '1970-01-01T00:00:00.000000000000001Z',
    'metadata.',
    'metadata.\0',
  ],
  ...[
    'W10',
    'WyIwIiwiIiwwXQ',
    'WyIxODQ0Njc0NDA3MzcwOTU1MTYxNSIsIiIsMF0',
    'x'.repeat(200),
    'x'.repeat(201),
    'x'.repeat(3_000),
  ],
];
const oddText = fc.oneof(
  fc.constantFrom(...ODD_TEXTS),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.bigInt().map(String),
  fc.double().map(String),
);

/** What is no right encoding of anything, or of what UTF-8 does not have. */
const ODD_ENCODINGS = [
  '%',
  '%zz',
  '%ff',
  '%c0%80',
  '%ed%a0%80',
  '%F5%80%80%80',
  '%2',
  '%u0041',
  '%2e%2e',
  '%2f',
  '%3f',
  ';a=b',
];

function encoded(text: string): string {
  return text.isWellFormed() ? encodeURIComponent(text) : '%ED%A0%80';
}

function segment(parameter: Parameter, options: FuzzOptions): fc.Arbitrary<string> {
  return often(
    valid(parameter, options).map(encoded),
    fc.oneof(oddText.map(encoded), fc.constantFrom(...ODD_ENCODINGS)),
  );
}

function query(parameters: readonly Parameter[], options: FuzzOptions): fc.Arbitrary<string> {
  const right = parameters.map((parameter) => {
    const given = pairs(parameter, options);
    return parameter.required ? given : often(fc.constant<[string, string][]>([]), given);
  });
  const named = fc.constantFrom(
    ...parameters.map(({ name }) => name),
    'metadata.a',
    'metadata.__proto__',
    '__proto__',
    'x',
  );
  const odd = fc
    .tuple(named, oddText)
    // A request that is held for a minute is no hang, but looks like one.
    .filter(([name, value]) => name !== 'wait' || !(Number(value) > 0 && Number(value) <= 60));
  return fc
    .tuple(
      fc.tuple(...right).map((all) => all.flat()),
      often<[string, string][]>(fc.constant([]), fc.array(odd, { maxLength: 3 })),
    )
    .chain(([a, b]) => fc.shuffledSubarray([...a, ...b, ...b.slice(0, 1)], { minLength: a.length }))
    .map((all) => all.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join('&'))
    .chain((text) =>
      often(
        fc.constant(text),
        fc.constantFrom(text, `${text}&%`, `${text}&=`, `&&${text}`, `${text}&a[b]=c`),
      ),
    )
    .map((text) => (text === '' ? '' : `?${text}`));
}

/** The fields of an object are parameters of their own. */
function pairs(parameter: Parameter, options: FuzzOptions): fc.Arbitrary<[string, string][]> {
  if (parameter.name !== 'metadata')
    return valid(parameter, options).map((value) => [[parameter.name, value]]);
  return fc.array(
    fc.tuple(
      fc.constantFrom('metadata.campaign', 'metadata.é', 'metadata.a.b'),
      fc.constantFrom('spring', ''),
    ),
    { minLength: 1, maxLength: 2 },
  );
}

const TextSchema = Type.Object({
  type: Type.Optional(Type.String()),
  enum: Type.Optional(Type.Array(Type.String())),
  format: Type.Optional(Type.String()),
  minimum: Type.Optional(Type.Integer()),
  maximum: Type.Optional(Type.Integer()),
});

function valid({ name, schema, example }: Parameter, { document, known }: FuzzOptions): fc.Arbitrary<string> {
  const given = known[name];
  const { type, enum: values, format, minimum = 0, maximum = 100 } = Value.Parse(TextSchema, schema);
  if (given !== undefined) return fc.constantFrom(...given);
  if (values !== undefined) return fc.constantFrom(...values);
  if (type === 'boolean') return fc.constantFrom('true', 'false');
  if (type === 'integer') return fc.integer({ min: minimum, max: maximum }).map(String);
  if (format === 'date-time') {
    return fc
      .date({ min: new Date('0001-01-02'), max: new Date('9999-12-30'), noInvalidDate: true })
      .map((date) => date.toISOString());
  }
  if (example !== undefined) return fc.constant(String(example));
  return fc
    .string({ unit: 'grapheme', maxLength: 20 })
    .filter((text) => document.misfit(schema, text) === null);
}

const noHeaders = fc.constant<Record<string, string>>({});
const oddHeaders = often<Record<string, string>>(
  noHeaders,
  fc.constantFrom<Record<string, string>[]>(
    { accept: 'text/html', 'accept-encoding': 'br;q=9, *' },
    { 'x-polykeep-account': 'nobody' },
    { 'x-polykeep-account': 'default' },
    { 'x-polykeep-metadata': 'true' },
    { 'x-polykeep-metadata': 'perhaps' },
    { 'x-polyai-auth-token': '', 'x-api-key': 'é' },
    { authorization: 'Bearer', cookie: 'a=b; __proto__=c' },
    { 'x-http-method-override': 'DELETE', 'x-forwarded-for': "' or 1=1 --" },
    { range: 'bytes=0-1', 'if-none-match': '*', 'if-modified-since': 'never' },
    { host: 'evil.example:99999', origin: 'null', referer: '%' },
    { 'content-encoding': 'gzip' },
    { ['__proto__']: 'x', constructor: 'y' },
    { 'x-long': 'x'.repeat(8_000) },
  ),
);

const contentType = often<Record<string, string>>(
  fc.constant({ 'content-type': 'application/json' }),
  fc.constantFrom<Record<string, string>[]>(
    {},
    { 'content-type': '' },
    { 'content-type': 'text/plain' },
    { 'content-type': 'application/json; charset=utf-16' },
    { 'content-type': 'APPLICATION/JSON;;' },
    { 'content-type': 'application/jsonp' },
    { 'content-type': 'application/problem+json' },
    { 'content-type': 'multipart/form-data' },
    { 'content-type': 'application/x-www-form-urlencoded' },
    { 'content-type': '/;=' },
    { 'content-type': 'x'.repeat(2_000) },
  ),
);

const ODD_BODIES = [
  ...[
    '',
    ' ',
    '{',
    '{}',
    '[]',
    'null',
    '0',
    '"x"',
    '1e999',
    '{"a":',
    "{'a':1}",
    '\0',
    '\ufeff{}',
    'NaN',
    '{"callSid":"a"}x',
  ],
  ...['{"__proto__":{"a":1}}', '{"constructor":{"prototype":{"a":1}}}', '{"callSid":"a","__proto__":null}'],
  ...['{"callSid":"a","metadata":{"__proto__":"x"}}', '{"callSid":"a","metadata":{"constructor":"x"}}'],
  ...[
    '{"callSid":"\\ud800"}',
    '{"callSid":"a","metadata":{"\\udfff":"\\u0000"}}',
    '{"callSid":"a","callSid":1}',
  ],
  ...[
    '{"callSid":".."}',
    '{"callSid":"a","account":"\\u0000"}',
    '{"calls":{"length":10001}}',
    '{"calls":[null,0,"",[],{}]}',
  ],
  ...[
    '{"calls":[{"callSid":"a"},{"callSid":"a"}]}',
    `{"calls":[${'{},'.repeat(10_000)}{}]}`,
    `{"a":"${'x'.repeat(1_100_000)}"}`,
  ],
  ...[
    '['.repeat(100_000),
    `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`,
    `{"callSid":"${'x'.repeat(9_000)}"}`,
  ],
  ...[
    `{"callSid":"a","metadata":{"k":"${'x'.repeat(9_000)}"}}`,
    `{"callSid":"a","metadata":${'{"a":'.repeat(500)}1${'}'.repeat(501)}`,
  ],
];

function bodies(schema: unknown, options: FuzzOptions): fc.Arbitrary<string | null> {
  const odd = fc.oneof(
    fc.constantFrom(...ODD_BODIES),
    fc.json(),
    fc.string({ unit: 'binary', maxLength: 50 }),
  );
  if (schema === null) return often(fc.constant(null), odd);
  return often<string | null>(
    rightBody(schema, options).map((value) => JSON.stringify(value)),
    odd,
  );
}

const oddValue = fc.oneof(oddText, fc.jsonValue());
const metadata = often<unknown>(fc.dictionary(oddText, oddText, { maxKeys: 5 }), fc.jsonValue());
const BodySchema = Type.Object({ properties: Type.Record(Type.String(), Type.Unknown()) });

/** By what an operation takes; a field may be wrong all the same. */
function rightBody(schema: unknown, { known }: FuzzOptions): fc.Arbitrary<unknown> {
  const fields = Object.keys(Value.Parse(BodySchema, schema).properties);
  const callSid = fc.constantFrom(...(known.callSid ?? []));
  const registration = fc.oneof(
    fc.record({ callSid, metadata: fc.dictionary(fc.string(), fc.string(), { maxKeys: 5 }) }),
    fc.record(
      {
        callSid: often<unknown>(callSid, oddValue),
        call_sid: often<unknown>(callSid, oddValue),
        account: often<unknown>(fc.constant('default'), oddValue),
        metadata,
      },
      { requiredKeys: [] },
    ),
  );
  if (fields.includes('calls')) {
    return fc.record({ calls: fc.array(often<unknown>(registration, oddValue), { maxLength: 20 }) });
  }
  if (fields.includes('callSid')) return registration;
  // PolyAI's, whichever of its routes it is.
  return fc.record(
    {
      to_number: often<unknown>(fc.constant('+442079460000'), oddValue),
      toNumber: often<unknown>(fc.constant('+442079460000'), oddValue),
      environment: often<unknown>(fc.constantFrom(...(known.environment ?? [])), oddValue),
      metadata,
    },
    { requiredKeys: ['to_number', 'toNumber', 'environment'] },
  );
}
