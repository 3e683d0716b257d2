import { readdir, readFile } from 'node:fs/promises';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { describe, expect, it } from 'vitest';

const Rules = Type.Object({
  overrides: Type.Array(
    Type.Object({
      includes: Type.Tuple([Type.String()]),
      linter: Type.Object({
        rules: Type.Object({
          style: Type.Object({
            noRestrictedImports: Type.Object({
              level: Type.Literal('error'),
              options: Type.Object({
                patterns: Type.Tuple([Type.Object({ group: Type.Array(Type.String()) })]),
              }),
            }),
          }),
        }),
      }),
    }),
  ),
});

const text = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

/** What the table of docs/architecture.md lets each room import. */
async function roomsOfTheDocument(): Promise<Map<string, string[]>> {
  const table = (await text('docs/architecture.md')).split('## Words')[0] ?? '';
  const rows = [...table.matchAll(/^\| `([\w-]+)` \|.*\| (.*) \|$/gm)];
  return new Map(
    rows.map(([, room = '', imports = '']) => [
      room,
      [...imports.matchAll(/`([\w-]+)`/g)].map(([, name = '']) => name),
    ]),
  );
}

/** What the linter keeps each room from importing. */
async function roomsOfTheLinter(): Promise<Map<string, string[]>> {
  const { overrides } = Value.Parse(Rules, JSON.parse(await text('biome.rooms.json')));
  return new Map(
    overrides.map(({ includes, linter }) => [
      includes[0].replace(/^src\/(.*)\/\*\*$/, '$1'),
      linter.rules.style.noRestrictedImports.options.patterns[0].group.map((glob) =>
        glob.replaceAll(/\*\*\/|\/\*\*/g, ''),
      ),
    ]),
  );
}

describe('the rooms of src', () => {
  it('are all in the table of docs/architecture.md', async () => {
    const entries = await readdir(new URL('../../src', import.meta.url), { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    expect([...(await roomsOfTheDocument()).keys()].sort()).toEqual(folders.sort());
  });

  it('may import what the table says, and the linter forbids the rest', async () => {
    const rooms = await roomsOfTheDocument();
    const forbidden = new Map(
      [...rooms].map(([room, allowed]) => [
        room,
        [...rooms.keys()].filter((other) => other !== room && !allowed.includes(other)),
      ]),
    );
    expect(await roomsOfTheLinter()).toEqual(forbidden);
  });

  it('import only rooms above them in the table', async () => {
    const rooms = await roomsOfTheDocument();
    const order = [...rooms.keys()];
    for (const [room, allowed] of rooms) {
      for (const other of allowed)
        expect(order.indexOf(other), `${room} imports ${other}`).toBeLessThan(order.indexOf(room));
    }
  });
});
