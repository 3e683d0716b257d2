import { readFile } from 'node:fs/promises';
import { Value } from 'typebox/value';
import { expect, it } from 'vitest';
import { Environment } from '../../src/config/environment.ts';
import { APIS } from '../../src/polyai/apis.ts';

const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
const example = await readFile(new URL('../../.env.example', import.meta.url), 'utf8');

/** As text; those that have none are not among them. */
const defaults = new Map(
  Object.entries(Value.Default(Environment, {}) ?? {}).map(([name, value]) => [name, `${value}`]),
);
const names = Object.keys(Environment.properties);

const rows = (/^## Configuration$[\s\S]*?^\|---.*\n(?<rows>(?:^\|.*\n)+)/m.exec(readme)?.groups?.rows ?? '')
  .trim()
  .split('\n')
  .map((line) => {
    const [, variables = '', value = ''] = line.split(/(?<!\\)\|/);
    return { variables: codeIn(variables), value: value.trim() };
  });

function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

it('README has every variable of the configuration once, and no other', () => {
  expect(rows.flatMap(({ variables }) => variables).sort()).toEqual(names.sort());
});

it.each(rows)('README has the default of $variables', ({ variables, value }) => {
  const expected = variables.map((name) => defaults.get(name));
  if (variables.includes('POLYAI_BASE_URL')) {
    expect(codeIn(value)).toEqual(APIS.map(({ defaultBaseUrl }) => defaultBaseUrl));
  } else if (/^(none$|required\b)/.test(value)) {
    expect(expected.filter((text) => text !== undefined)).toEqual([]);
  } else {
    expect(codeIn(value)).toEqual(expected);
  }
});

it('.env.example has variables of the configuration alone, those with a default with it', () => {
  const lines = [...example.matchAll(/^(?:# )?([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => ({
    name,
    value,
  }));
  expect(lines.length).toBeGreaterThan(10);
  expect(lines.map(({ name }) => name).filter((name) => !names.includes(name))).toEqual([]);
  const known = lines.filter(({ name }) => defaults.has(name));
  expect(known).toEqual(known.map(({ name }) => ({ name, value: defaults.get(name) })));
});
