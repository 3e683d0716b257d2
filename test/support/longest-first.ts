import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Those that take longest, mostly with waiting. */
const LONGEST = [
  'chaos/chaos',
  'e2e/process',
  'e2e/accounts',
  'integration/queue-faults',
  'integration/embedded-postgres',
  'integration/redis-failover',
  'integration/redis-tls',
  'integration/pgbouncer',
  'e2e/sidecar',
  'e2e/drop-in',
  'integration/export-command',
  'e2e/rate-limit',
  'e2e/metrics',
  'integration/hardening',
  'integration/migrations',
  'e2e/track',
  'e2e/redaction',
];

/** A run ends when its last file does: the longest begin first, the others as vitest has them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const rank = LONGEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
  return rank === -1 ? LONGEST.length : rank;
}
