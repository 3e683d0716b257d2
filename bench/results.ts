import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chart } from './chart.ts';
import { lineChart } from './line-chart.ts';
import type { Machine } from './machine.ts';
import type { Section, Table, Target } from './part.ts';

/** Every part as it was last run: one that is run alone leaves the others' results. */
export interface Results {
  [part: string]: { machine: Machine; section: Section };
}

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

export async function readResults(): Promise<Results> {
  try {
    return JSON.parse(await readFile(pathOf('results.json'), 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw error;
  }
}

/** `results.json`, `RESULTS.md` and a chart for each section that has bars. */
export async function writeResults(results: Results, order: readonly string[]): Promise<void> {
  await writeFile(pathOf('results.json'), `${JSON.stringify(results, null, 1)}\n`);
  const parts = order.flatMap((name) => (results[name] === undefined ? [] : [{ name, ...results[name] }]));
  for (const { name, section } of parts) {
    const { bars, lines } = section;
    if (bars !== undefined) await writeFile(pathOf(chartOf(name)), chart(bars));
    if (lines !== undefined) await writeFile(pathOf(chartOf(name)), lineChart(lines));
  }
  const text = [
    INTRODUCTION,
    targetTable(parts.flatMap(({ section }) => section.targets)),
    ...parts.map(sectionText),
  ].join('\n\n');
  await writeFile(pathOf('RESULTS.md'), `${text}\n`);
}

interface Run {
  name: string;
  machine: Machine;
  section: Section;
}

const INTRODUCTION = `# Results

Made by \`npm run bench\` (the day by \`npm run bench -- day\`); one part alone by \`npm run bench -- PART\`. Every number is
the median of its rounds, and every ratio the median of the rounds' ratios, with the least and the most of them behind
it: each round measures all candidates, one after the other or side by side, on the same machine. Numbers compare with
those of the same machine alone, which stands below each part; ratios with those of any, as far as the spread goes.`;

export function targetTable(targets: readonly Target[]): string {
  return tableText({ head: ['target', 'wanted', 'got', ''], rows: targets.map(targetRow) });
}

function targetRow({ name, wanted, got, met }: Target): string[] {
  return [name, wanted, got, met ? 'met' : '**missed**'];
}

function sectionText({ name, machine, section }: Run): string {
  const { title, text, tables, notes, bars, lines } = section;
  const pictured = bars ?? lines;
  return [
    `## ${title}`,
    text,
    ...(pictured === undefined ? [] : [`![${pictured.title}](${chartOf(name)})`]),
    ...tables.map(tableText),
    notes.map((note) => `- ${note}`).join('\n'),
    machineText(machine),
  ]
    .filter((block) => block !== '')
    .join('\n\n');
}

function chartOf(name: string): string {
  return `results-${name}.svg`;
}

export function tableText({ head, rows }: Table): string {
  const rule = head.map((_, index) => (index === 0 ? '---' : '--:'));
  return [head, rule, ...rows].map((cells) => `| ${cells.map(cellText).join(' | ')} |`).join('\n');
}

function cellText(cell: string | number): string {
  return typeof cell === 'number' ? cell.toLocaleString('en-GB', { maximumFractionDigits: 10 }) : cell;
}

function machineText({ cpu, cores, memoryGb, kernel, versions, commit, at }: Machine): string {
  const all = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `<sub>${[`${cores} cores (${cpu}), ${memoryGb} GB, Linux ${kernel}`, ...all].join(', ')}; commit ${commit}, ${at.slice(0, 16).replace('T', ' ')} UTC.</sub>`;
}
