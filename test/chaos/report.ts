import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Remains } from './run.ts';
import type { Violation } from './violation.ts';

const TROUBLE: readonly unknown[] = ['warn', 'error', 'fatal'];

/** Writes down all that concerns the violations, and gives the file's path. */
export async function writeReport(
  seed: number,
  violations: readonly Violation[],
  { evidence, logs }: Remains,
): Promise<string> {
  const concerned = new Set<unknown>(violations.map(({ callSid }) => callSid));
  const calls = evidence.calls.filter(({ callSid }) => concerned.has(callSid));
  const said = logs.filter(({ level, callSid }) => TROUBLE.includes(level) || concerned.has(callSid));
  const path = join(tmpdir(), `polykeep-chaos-${seed}.json`);
  await writeFile(path, JSON.stringify({ violations, evidence: { ...evidence, calls }, logs: said }));
  return path;
}
