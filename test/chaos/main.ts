import { randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { check, type Violation } from './check.ts';
import { longPlan } from './plan.ts';
import { run } from './run.ts';
import { summary } from './summary.ts';

/** `npm run test:chaos -- [--seed N] [--seconds N] [--calls N]` */
const { values } = parseArgs({
  options: { seed: { type: 'string' }, seconds: { type: 'string' }, calls: { type: 'string' } },
});
const MAX_SECONDS = 520;
const LONGEST_MS = 595_000;
const VIOLATIONS_TOLD = 50;
/** Of pino's levels. */
const WARN = 40;

const seed = readNumber('seed', randomInt(2 ** 31));
const seconds = Math.min(MAX_SECONDS, readNumber('seconds', 500));
const calls = readNumber('calls', 3_000);
console.log(`seed ${seed}, ${seconds} s, ${calls} calls`);

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => interrupted.abort(new Error(`ended by ${signal}`)));
}
setTimeout(() => interrupted.abort(new Error(`not done within ${LONGEST_MS} ms`)), LONGEST_MS).unref();
const { evidence, logs } = await run(
  longPlan({ seed, seconds, calls }),
  console.log,
  interrupted.signal,
).catch((error: unknown) => {
  console.error(interrupted.signal.aborted && error instanceof Error ? error.message : error);
  process.exit(1);
});
const verdict = check(evidence);
console.log(['', `seed             ${seed}`, ...summary(evidence, verdict)].join('\n'));
if (verdict.violations.length > 0) await tell(verdict.violations);
// What was still to be done to a cluster that is gone is not waited for.
process.exit();

function readNumber(name: 'seed' | 'seconds' | 'calls', otherwise: number): number {
  const text = values[name] ?? `${otherwise}`;
  if (/^\d+$/.test(text)) return Number(text);
  console.error(`--${name}: must be a whole number`);
  process.exit(1);
}

async function tell(violations: readonly Violation[]): Promise<void> {
  process.exitCode = 1;
  for (const { kind, callSid, detail } of violations.slice(0, VIOLATIONS_TOLD)) {
    console.log(`${kind}: ${callSid === null ? '' : `${callSid}: `}${detail}`);
  }
  const concerned = new Set<unknown>(violations.map(({ callSid }) => callSid));
  const calls = evidence.calls.filter(({ callSid }) => concerned.has(callSid));
  const said = logs.filter(({ level, callSid }) => Number(level) >= WARN || concerned.has(callSid));
  const path = join(tmpdir(), `polykeep-chaos-${seed}.json`);
  await writeFile(path, JSON.stringify({ violations, evidence: { ...evidence, calls }, logs: said }));
  console.log(`evidence: ${path}`);
}
