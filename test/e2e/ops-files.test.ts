import { readFileSync } from 'node:fs';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/config/config.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type Sidecar, startSidecar } from '../../src/wiring/sidecar.ts';
import { client } from '../support/client.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { livesUntilSeen } from '../support/lives.ts';
import { silentLog as log } from '../support/log.ts';
import { type Scrape, scrape } from '../support/prometheus.ts';
import { selectorsOf } from '../support/promql.ts';
import { FAST } from '../support/sidecar.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const Text = Type.String({ minLength: 1 });
const Rule = Type.Object({
  alert: Type.String({ pattern: '^Polykeep[A-Za-z]+$' }),
  expr: Text,
  labels: Type.Object({ severity: Type.Enum(['critical', 'warning']) }),
  annotations: Type.Object({ summary: Text, description: Text, runbook_url: Text }),
});
const Rules = Type.Object({ groups: Type.Array(Type.Object({ rules: Type.Array(Rule) })) });
const Panel = Type.Object({
  id: Type.Integer(),
  title: Text,
  type: Text,
  targets: Type.Optional(Type.Array(Type.Object({ expr: Text }))),
});
const Dashboard = Type.Object({
  templating: Type.Object({
    list: Type.Array(Type.Object({ name: Text, definition: Type.Optional(Text) })),
  }),
  panels: Type.Array(Panel),
});

const rules = Value.Parse(Rules, parse(read('ops/alerts.yml'))).groups.flatMap((group) => group.rules);
const dashboard = Value.Parse(Dashboard, JSON.parse(read('ops/grafana-dashboard.json')));
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => [title, expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '5m')]),
);
const manual = read('docs/operations.md');

/** Those that Prometheus itself gives every series. */
const TARGET_LABELS = ['instance', 'job'];

let simulator: Simulator;
let database: TestDatabase;
let sidecar: Sidecar;
let told: Scrape;

beforeAll(async () => {
  simulator = await startSimulator({ token: FAST.POLYAI_AUTH_TOKEN });
  database = await createDatabase();
  const environment = { ...FAST, POLYAI_BASE_URL: simulator.url, DATABASE_URL: database.url };
  sidecar = await startSidecar({ config: readConfig('serve', environment), role: 'serve', log });
  const url = sidecar.url ?? '';
  // One that goes on, and one that has ended with a change that was seen.
  const lives = livesUntilSeen(simulator, [{ status: 'queued' }, { status: 'success' }]);
  await client(url).register(simulator.place({ script: [{ status: 'queued', forMs: Infinity }] }));
  await client(url).register(lives.place());
  // The numbers of the archive are seconds old.
  told = await vi.waitFor(
    async () => {
      const found = await scrape(url);
      expect(found.value('polykeep_calls_unsettled')).toBe(1);
      expect(found.value('polykeep_settled_total')).toBe(1);
      return found;
    },
    { timeout: 120_000, interval: 100 },
  );
  lives.stop();
});

afterAll(async () => {
  await sidecar.stop();
  await simulator.stop();
  await database.drop();
});

/** Fails where the query asks for what a running polykeep does not tell. */
function check(query: string): void {
  const selectors = selectorsOf(query);
  expect(selectors).not.toEqual([]);
  for (const { name, labels } of selectors.filter(({ name }) => name !== 'up')) {
    expect(typeOf(name), `the type of ${name}`).toBeDefined();
    const known = told.samples.find((sample) => sample.name === name)?.labels ?? {};
    for (const label of labels) expect([...TARGET_LABELS, ...Object.keys(known)], name).toContain(label);
  }
}

/** Of the metric that a series belongs to: those of a histogram have its name with an ending. */
function typeOf(series: string): string | undefined {
  const histogram = /^(.+)_(bucket|sum|count)$/.exec(series)?.[1];
  if (histogram !== undefined && told.types.get(histogram) === 'histogram') return 'histogram';
  return told.types.get(series) === 'histogram' ? undefined : told.types.get(series);
}

describe('ops/alerts.yml', () => {
  it.each(rules.map((rule) => [rule.alert, rule] as const))(
    '%s asks for what there is, and has its page',
    (alert, rule) => {
      check(rule.expr);
      expect(rule.annotations.runbook_url).toBe(`http://127.0.0.1:8080/runbook#${alert.toLowerCase()}`);
      expect(manual).toContain(`\n### ${alert}\n`);
    },
  );

  it('has no alert twice, and the manual none that is not here', () => {
    const alerts = rules.map(({ alert }) => alert);
    const pages = [...manual.matchAll(/^### (Polykeep\w+)$/gm)].map(([, alert]) => alert);
    expect(pages.toSorted()).toEqual(alerts.toSorted());
    expect(new Set(alerts).size).toBe(alerts.length);
  });
});

describe('ops/grafana-dashboard.json', () => {
  it.each(queries)('%s: %s', (_, query = '') => check(query));

  it('has a query in every panel that is no row, and finds its processes by a metric that there is', () => {
    const { panels, templating } = dashboard;
    const empty = panels.filter(({ type, targets = [] }) => type !== 'row' && targets.length === 0);
    expect(empty).toEqual([]);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const definition = templating.list.find(({ name }) => name === 'instance')?.definition ?? '';
    const [, metric = ''] = /^label_values\((\w+), instance\)$/.exec(definition) ?? [];
    expect(told.types.has(metric)).toBe(true);
  });
});

it('docs/operations.md has every metric of ours, with its type and its labels, and no other', () => {
  const rows = [...manual.matchAll(/^\| `(polykeep_\w+)` \| (\w+) \|([^|]*)\|/gm)];
  const documented = rows.map(([, name = '', type, labels = '']) => [
    name,
    type,
    ...[...labels.matchAll(/\w+/g)].map(([label]) => label).toSorted(),
  ]);
  const names = [...told.types.keys()].filter((name) => name.startsWith('polykeep_'));
  const present = names.map((name) => {
    const type = told.types.get(name);
    const series = type === 'histogram' ? `${name}_count` : name;
    const sample = told.samples.find((each) => each.name === series);
    return [name, type, ...Object.keys(sample?.labels ?? { missing: '' }).toSorted()];
  });
  expect(documented.toSorted()).toEqual(present.toSorted());
});
