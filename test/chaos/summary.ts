import type { Verdict } from './check.ts';
import { countLatePolls } from './check-polls.ts';
import type { Evidence } from './evidence.ts';
import type { IncidentKind } from './incidents.ts';
import type { ViolationKind } from './violation.ts';

/** Their kind does not say what was done. */
const NAMED_BY_DETAIL: ReadonlySet<IncidentKind> = new Set(['polyai', 'gateway', 'redis refusing']);

/** The run in a few lines. */
export function summary(
  { calls, incidents, workerProcesses, exits, told }: Evidence,
  verdict: Verdict,
): string[] {
  const count = (kind: ViolationKind) => verdict.violations.filter((one) => one.kind === kind).length;
  const polls = calls.reduce((sum, call) => sum + call.polls.length, 0);
  const late = calls.reduce((sum, call) => sum + countLatePolls(call), 0);
  const transitions = calls.reduce((sum, call) => sum + (call.archived?.transitions.length ?? 0), 0);
  return [
    `calls            ${calls.length}`,
    `transitions      ${transitions}`,
    `polls            ${polls}`,
    `faults           ${incidents.length}: ${faultsByKind(incidents)}`,
    `worker processes ${workerProcesses}, slowest SIGTERM ${Math.max(0, ...exits.map(({ tookMs }) => tookMs))} ms`,
    `lost             ${count('lost')}`,
    `wrongly concluded ${count('wrongly concluded')}`,
    `missing          ${count('missing')}, in doubt ${verdict.inDoubt}`,
    `duplicates       ${count('duplicate')}`,
    `invented         ${count('invented')}`,
    `longest gap      ${verdict.longestGapMs} ms`,
    `double polls     ${count('double poll')}`,
    `blind polls      ${count('blind')}`,
    `unpromised       ${count('unpromised')}, overdue ${count('overdue')}`,
    `polls after end  ${late}, too many or too late ${count('poll after the end')}`,
    `readiness        ${count('readiness late')} late, ${count('readiness stuck')} stuck`,
    `told             ${told.map(tally).join(', ')}; wrongly ${count('told wrongly')}`,
    `violations       ${verdict.violations.length}`,
  ];
}

function tally({ receiver, accepted }: Evidence['told'][number]): string {
  const again = accepted.length - new Set(accepted.map(({ id }) => id)).size;
  return `${accepted.length} by the ${receiver} one, ${again} again`;
}

function faultsByKind(incidents: Evidence['incidents']): string {
  const counts = new Map<string, number>();
  for (const { kind, detail } of incidents) {
    const name = NAMED_BY_DETAIL.has(kind) ? `${kind} ${detail}` : kind;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, times]) => `${times} ${name}`)
    .join(', ');
}
