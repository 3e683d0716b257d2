import { readFile } from 'node:fs/promises';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { typesHeader } from '../../build/client-types.ts';
import { openapiText, routes } from '../support/openapi.ts';
import { type Content, type OpenapiDocument, readDocument } from '../support/openapi-document.ts';

let text: string;
let document: OpenapiDocument;

beforeAll(async () => {
  text = await openapiText();
  document = readDocument(text);
});

describe('openapi.json', () => {
  it('is what the server serves; after a change of the API: npm run openapi', async () => {
    expect(await readFile(new URL('../../openapi.json', import.meta.url), 'utf8')).toBe(text);
  });

  it('is what the types of polykeep/client were made of; likewise: npm run openapi', async () => {
    const types = await readFile(new URL('../../src/client/openapi.ts', import.meta.url), 'utf8');
    expect(types.slice(0, types.indexOf('\n') + 1)).toBe(await typesHeader());
    for (const { operationId } of document.operations) expect(types).toContain(`    ${operationId}: {`);
  });

  it('has every route but those that show it, or the queue', async () => {
    const shown = document.operations.map(({ method, path }) => `${method} ${path}`);
    const others = (await routes()).filter((route) => !/^GET \/(docs|queues|openapi\.json)/.test(route));
    expect(shown.sort()).toEqual(others.sort());
  });

  it('is without a fault to a linter made for it', async () => {
    const config = await createConfig({
      extends: ['recommended-strict'],
      rules: {
        'no-invalid-media-type-examples': 'error',
        'no-invalid-parameter-examples': 'error',
        'no-invalid-schema-examples': 'error',
        'parameter-description': 'error',
        'tag-description': 'error',
        // Probes take nothing, and anyone may ask them: their client can make no mistake.
        'operation-4xx-response': 'off',
      },
    });
    const found = await lintFromString({ source: text, absoluteRef: 'openapi.json', config });
    expect(
      found.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`),
    ).toEqual([]);
  });

  it('has an error of the client’s for every operation but the probes', () => {
    const without = document.operations.filter(
      ({ responses }) => !Object.keys(responses).some((status) => status.startsWith('4')),
    );
    expect(without.map(({ path }) => path)).toEqual(['/health/live', '/health/ready']);
  });

  it('has an example of every request body and every answer, and each fits its schema', () => {
    for (const { operationId, body, responses } of document.operations) {
      if (body !== null) expectExamples(body, `${operationId} body`);
      for (const [status, { content = {} }] of Object.entries(responses)) {
        for (const [type, media] of Object.entries(content)) {
          expectExamples(media, `${operationId} ${status} ${type}`);
        }
      }
    }
  });

  it('has examples of parameters that fit their schemas', () => {
    for (const { operationId, parameters } of document.operations) {
      for (const parameter of parameters) {
        for (const value of examplesOf(parameter)) {
          expect(document.misfit(parameter.schema, value), `${operationId} ${parameter.name}`).toBeNull();
        }
      }
    }
  });

  it('has only problems whose status is that of the answer', () => {
    for (const { operationId, responses } of document.operations) {
      for (const [status, { content = {} }] of Object.entries(responses)) {
        for (const value of examplesOf(content['application/problem+json'] ?? { schema: {} })) {
          expect(value, operationId).toMatchObject({ status: Number(status) });
        }
      }
    }
  });
});

function expectExamples(media: Content, where: string): void {
  const examples = examplesOf(media);
  expect(examples, where).not.toHaveLength(0);
  for (const value of examples) expect(document.misfit(media.schema, value), where).toBeNull();
}

function examplesOf({ example, examples = {} }: Content): unknown[] {
  const named = Object.values(examples).map((given) => document.exampleOf(given));
  return example === undefined ? named : [example, ...named];
}
