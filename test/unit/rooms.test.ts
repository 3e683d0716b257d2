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

/** Files of `src/` beside the rooms: these are for all, and whatever else is there stands above all. */
const FOR_ALL = [
  'backoff.ts',
  'clock.ts',
  'log.ts',
  'log-output.ts',
  'open-files.ts',
  'package-folder.ts',
  'tracing.ts',
  'words.ts',
];
const FOR_ALL_GLOB = 'src/{backoff,clock,log,log-output,open-files,package-folder,tracing,words}.ts';

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

const entries = await readdir(new URL('../../src', import.meta.url), { withFileTypes: true });
const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
const above = entries
  .filter((entry) => entry.isFile() && !FOR_ALL.includes(entry.name))
  .map(({ name }) => name)
  .sort();

describe('the rooms of src', () => {
  it('are all in the table of docs/architecture.md', async () => {
    expect([...(await roomsOfTheDocument()).keys()].sort()).toEqual(folders.sort());
  });

  it('may import what the table says, and the linter forbids the rest', async () => {
    const rooms = await roomsOfTheDocument();
    const forbidden = new Map(
      [...rooms].map(([room, allowed]) => [
        room,
        [...[...rooms.keys()].filter((other) => other !== room && !allowed.includes(other)), ...above],
      ]),
    );
    forbidden.set(FOR_ALL_GLOB, [...rooms.keys(), ...above]);
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
