import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';

/** Of `openapi.json`, what tests read of it. */
const Media = Type.Object({
  schema: Type.Unknown(),
  example: Type.Optional(Type.Unknown()),
  examples: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});
const Contents = Type.Record(Type.String(), Media);
const Parameter = Type.Object({
  name: Type.String(),
  in: Type.Enum(['path', 'query', 'header']),
  required: Type.Boolean(),
  schema: Type.Unknown(),
  example: Type.Optional(Type.Unknown()),
  examples: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});
const OperationShape = Type.Object({
  operationId: Type.String(),
  summary: Type.String(),
  tags: Type.Array(Type.String()),
  security: Type.Optional(Type.Array(Type.Record(Type.String(), Type.Array(Type.String())))),
  parameters: Type.Optional(Type.Array(Parameter)),
  requestBody: Type.Optional(Type.Object({ content: Contents })),
  responses: Type.Record(
    Type.String(),
    Type.Object({ description: Type.String(), content: Type.Optional(Contents) }),
  ),
});
const DocumentShape = Type.Object({
  paths: Type.Record(Type.String(), Type.Record(Type.String(), OperationShape)),
});

export type Parameter = Static<typeof Parameter>;
export type Content = Static<typeof Media>;

export interface Operation extends Static<typeof OperationShape> {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  parameters: Parameter[];
  /** The schema of its JSON body. */
  body: Content | null;
}

export interface OpenapiDocument {
  operations: Operation[];
  /** What is wrong with a value by a schema of the document; null where it fits. */
  misfit(schema: unknown, value: unknown): string | null;
  /** The value of an example that is there, or referred to. */
  exampleOf(example: unknown): unknown;
}

export function readDocument(text: string): OpenapiDocument {
  const json: unknown = JSON.parse(text);
  const { components } = Value.Parse(
    Type.Object({
      components: Type.Object({
        schemas: Type.Unknown(),
        examples: Type.Record(Type.String(), Type.Object({ value: Type.Unknown() })),
      }),
    }),
    json,
  );
  // Keywords of OpenAPI are none of JSON Schema's.
  const ajv = addFormats.default(new Ajv2020({ strict: false, allErrors: true }));
  const compiled = new Map<unknown, ReturnType<typeof ajv.compile>>();

  return {
    operations: operationsOf(Value.Parse(DocumentShape, json)),
    misfit(schema, value) {
      const whole = { allOf: [schema], components: { schemas: components.schemas } };
      const validate = compiled.get(schema) ?? ajv.compile(whole);
      compiled.set(schema, validate);
      return validate(value) ? null : ajv.errorsText(validate.errors);
    },
    exampleOf(example) {
      const { $ref, value } = Value.Parse(
        Type.Object({ $ref: Type.Optional(Type.String()), value: Type.Optional(Type.Unknown()) }),
        example,
      );
      return $ref === undefined ? value : components.examples[$ref.split('/').at(-1) ?? '']?.value;
    },
  };
}

function operationsOf({ paths }: Static<typeof DocumentShape>): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      method: Value.Parse(Type.Enum(['GET', 'POST', 'PATCH', 'DELETE']), method.toUpperCase()),
      path,
      parameters: operation.parameters ?? [],
      body: operation.requestBody?.content['application/json'] ?? null,
    })),
  );
}
