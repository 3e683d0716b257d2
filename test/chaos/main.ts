import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { check } from './check.ts';
import { longPlan } from './plan.ts';
import { writeReport } from './report.ts';
import { run } from './run.ts';
import { summary } from './summary.ts';

/** `npm run test:chaos -- [--seed N] [--seconds N] [--calls N]` */
const { values } = parseArgs({
  options: { seed: { type: 'string' }, seconds: { type: 'string' }, calls: { type: 'string' } },
});
const MAX_SECONDS = 410;
const LONGEST_MS = 595_000;
const VIOLATIONS_TOLD = 50;

const seed = readNumber('seed', randomInt(2 ** 31));
const seconds = Math.min(MAX_SECONDS, readNumber('seconds', 400));
const calls = readNumber('calls', 3_000);
console.log(`seed ${seed}, ${seconds} s, ${calls} calls`);

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => interrupted.abort(new Error(`ended by ${signal}`)));
}
setTimeout(() => interrupted.abort(new Error(`not done within ${LONGEST_MS} ms`)), LONGEST_MS).unref();
const remains = await run(longPlan({ seed, seconds, calls }), console.log, interrupted.signal).catch(
  (error: unknown) => {
    console.error(interrupted.signal.aborted && error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
const verdict = check(remains.evidence);
console.log(['', `seed             ${seed}`, ...summary(remains.evidence, verdict)].join('\n'));
for (const { kind, callSid, detail } of verdict.violations.slice(0, VIOLATIONS_TOLD)) {
  console.log(`${kind}: ${callSid === null ? '' : `${callSid}: `}${detail}`);
}
if (verdict.violations.length > 0) {
  console.log(`evidence: ${await writeReport(seed, verdict.violations, remains)}`);
  process.exitCode = 1;
}
// What was still to be done to a cluster that is gone is not waited for.
process.exit();

function readNumber(name: 'seed' | 'seconds' | 'calls', otherwise: number): number {
  const text = values[name] ?? `${otherwise}`;
  if (/^\d+$/.test(text)) return Number(text);
  console.error(`--${name}: must be a whole number`);
  process.exit(1);
}
