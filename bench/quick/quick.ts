import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Bench } from '../bench.ts';
import { shown } from '../part.ts';
import { tableText } from '../results.ts';
import { GAUGES, type Gauge, type Ratios } from './gauges.ts';

/** Two minutes that tell whether polykeep became slower, by ratios alone: they say the same of machines that differ. */

const KEPT = fileURLToPath(new URL('../quick.json', import.meta.url));
/** A ratio may fall by so much: what is below is no chance on a machine that others use too. */
const MAY_FALL_BY = 0.25;

type Kept = Record<string, number>;

/** Whether no ratio has fallen. What seems to have is measured a second time, and the better of both counts. */
export async function runQuick(bench: Bench): Promise<boolean> {
  const kept: Kept = JSON.parse(await readFile(KEPT, 'utf8'));
  let isWell = true;
  for (const gauge of GAUGES) {
    let ratios = await measure(bench, gauge);
    if (fallen(ratios, kept).length > 0) ratios = better(ratios, await measure(bench, gauge));
    console.log(`${table(ratios, kept)}\n`);
    if (fallen(ratios, kept).length > 0) isWell = false;
  }
  return isWell;
}

/** Takes what is measured now for what is committed. */
export async function keepQuick(bench: Bench): Promise<void> {
  const kept: Kept = {};
  for (const gauge of GAUGES) {
    for (const [name, { median }] of Object.entries(await measure(bench, gauge))) {
      kept[name] = Number(median.toPrecision(3));
    }
  }
  await writeFile(KEPT, `${JSON.stringify(kept, null, 2)}\n`);
}

async function measure(bench: Bench, gauge: Gauge): Promise<Ratios> {
  bench.say(`quick: ${gauge.name}`);
  return gauge.measure(bench);
}

function fallen(ratios: Ratios, kept: Kept): string[] {
  return Object.entries(ratios)
    .filter(([name, { median }]) => !(median >= (kept[name] ?? 0) * (1 - MAY_FALL_BY)))
    .map(([name]) => name);
}

function better(ratios: Ratios, again: Ratios): Ratios {
  return Object.fromEntries(
    Object.entries(ratios).map(([name, first]) => {
      const second = again[name] ?? first;
      return [name, second.median > first.median ? second : first];
    }),
  );
}

function table(ratios: Ratios, kept: Kept): string {
  const down = fallen(ratios, kept);
  return tableText({
    head: ['ratio', 'committed', 'now', ''],
    rows: Object.entries(ratios).map(([name, spread]) => [
      name,
      kept[name] ?? 'none',
      shown(spread),
      down.includes(name) ? '**fell**' : 'well',
    ]),
  });
}
