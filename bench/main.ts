import { parseArgs } from 'node:util';
import { openBench } from './bench.ts';
import { describeMachine } from './machine.ts';
import type { Part } from './part.ts';
import { archive } from './parts/archive.ts';
import { crowd } from './parts/crowd.ts';
import { https } from './parts/https.ts';
import { httpsCrowd } from './parts/https-crowd.ts';
import { intake } from './parts/intake.ts';
import { lag } from './parts/lag.ts';
import { polling } from './parts/polling.ts';
import { profile } from './parts/profile.ts';
import { tuning } from './parts/tuning.ts';
import { webhooks } from './parts/webhooks.ts';
import { readResults, tableText, targetTable, writeResults } from './results.ts';

/**
 * How fast polykeep is, beside the least that its work can take and beside what people would write instead:
 * `npm run bench` for all parts, `npm run bench -- polling` for one. It starts what it needs, and writes `RESULTS.md`,
 * `results.json` and the charts. With `--quick` it only shows that all parts run, and writes nothing.
 */
const PARTS: readonly Part[] = [polling, https, httpsCrowd, crowd, intake, archive, lag, webhooks, profile];
/** Run by name alone, and kept out of the results. */
const ASIDE: readonly Part[] = [tuning];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, rounds: { type: 'string', default: '3' } },
});
const { quick } = values;
const wanted = positionals.length === 0 ? PARTS : positionals.map(partOf);
const rounds = quick ? 1 : Number(values.rounds);

await using bench = await openBench({ quick, rounds });
const machine = await describeMachine(await bench.database({ migrated: false }));
for (const part of wanted) {
  const section = await part.run(bench);
  for (const table of section.tables) console.log(`${section.title}\n${tableText(table)}\n`);
  if (section.targets.length > 0) console.log(`${targetTable(section.targets)}\n`);
  for (const note of section.notes) console.log(`- ${note}`);
  if (quick || ASIDE.includes(part)) continue;
  // After each part: one that fails leaves those before it.
  const at = new Date().toISOString();
  const results = { ...(await readResults()), [part.name]: { machine: { ...machine, at }, section } };
  await writeResults(
    results,
    PARTS.map(({ name }) => name),
  );
}

function partOf(name: string): Part {
  const all = [...PARTS, ...ASIDE];
  const part = all.find((one) => one.name === name);
  if (part === undefined) throw new Error(`no part ${name}: ${all.map((one) => one.name).join(', ')}`);
  return part;
}
