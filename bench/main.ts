import { parseArgs } from 'node:util';
import { openBench } from './bench.ts';
import { describeMachine, type Machine } from './machine.ts';
import type { Part } from './part.ts';
import { archive } from './parts/archive.ts';
import { crowd } from './parts/crowd.ts';
import { day } from './parts/day.ts';
import { https } from './parts/https.ts';
import { httpsCrowd } from './parts/https-crowd.ts';
import { intake } from './parts/intake.ts';
import { lag } from './parts/lag.ts';
import { limit } from './parts/limit.ts';
import { polling } from './parts/polling.ts';
import { profile } from './parts/profile.ts';
import { start } from './parts/start.ts';
import { tuning } from './parts/tuning.ts';
import { webhooks } from './parts/webhooks.ts';
import { keepQuick, runQuick } from './quick/quick.ts';
import { readResults, tableText, targetTable, writeResults } from './results.ts';

/**
 * How fast polykeep is, beside the least that its work can take and beside what people would write instead:
 * `npm run bench` for all parts but the day, which takes ten minutes by itself, `npm run bench -- polling` for one. It
 * starts what it needs, and writes `RESULTS.md`, `results.json` and the charts.
 *
 * `npm run bench -- quick` takes two minutes, and ends with 1 where a ratio fell against `quick.json`; with `--keep` it
 * writes that file. `npm run bench -- polling --quick` only shows that a part runs, and writes nothing.
 */
const PARTS: readonly Part[] = [
  day,
  polling,
  https,
  httpsCrowd,
  crowd,
  start,
  lag,
  limit,
  intake,
  archive,
  webhooks,
  profile,
];
/** Run by name alone; `tuning` is kept out of the results. */
const BY_NAME: readonly Part[] = [day];
const ASIDE: readonly Part[] = [tuning];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
  },
});
const isGuard = positionals.length === 1 && positionals[0] === 'quick';
const quick = values.quick || isGuard;
const rounds = quick ? 1 : Number(values.rounds);
if (positionals.length === 0 && values.quick) throw new Error('npm run bench -- quick, or PART --quick');

await using bench = await openBench({ quick, rounds });
if (isGuard) {
  if (values.keep) await keepQuick(bench);
  else if (!(await runQuick(bench))) process.exitCode = 1;
} else {
  await runParts(
    positionals.length === 0 ? PARTS.filter((part) => !BY_NAME.includes(part)) : positionals.map(partOf),
  );
}

async function runParts(parts: readonly Part[]): Promise<void> {
  const machine = await describeMachine(await bench.database({ migrated: false }));
  for (const part of parts) await runPart(part, machine);
}

async function runPart(part: Part, machine: Omit<Machine, 'at'>): Promise<void> {
  const section = await part.run(bench);
  for (const table of section.tables) console.log(`${section.title}\n${tableText(table)}\n`);
  if (section.targets.length > 0) console.log(`${targetTable(section.targets)}\n`);
  for (const note of section.notes) console.log(`- ${note}`);
  if (quick || ASIDE.includes(part)) return;
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
