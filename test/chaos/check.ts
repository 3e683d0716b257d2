import { checkArchive } from './check-archive.ts';
import { checkCluster } from './check-cluster.ts';
import { checkPolls, longestGap } from './check-polls.ts';
import { doubts } from './doubts.ts';
import type { Evidence } from './evidence.ts';

export type ViolationKind =
  /** Not settled as it ended. */
  | 'lost'
  /** A status that was shown and is not stored. */
  | 'missing'
  | 'duplicate'
  | 'disorder'
  /** Stored and never shown, or with times at which it cannot have been. */
  | 'invented'
  | 'poll after the end'
  | 'gap'
  | 'double poll'
  /** Nobody has promised to follow it for long. */
  | 'overdue'
  /** Followed, though nobody has promised it: the sweeper would hand it to others. */
  | 'unpromised'
  | 'left in Redis'
  | 'exit'
  | 'death'
  | 'odd answer';

export interface Violation {
  kind: ViolationKind;
  callSid: string | null;
  detail: string;
}

export interface Verdict {
  violations: Violation[];
  /** Statuses that were shown to processes that cannot have kept them, and are not stored. */
  inDoubt: number;
  longestGapMs: number;
}

/** Holds what polykeep tells against what PolyAI showed. */
export function check(evidence: Evidence): Verdict {
  const doubtful = doubts(evidence);
  const violations: Violation[] = [...checkCluster(evidence)];
  let inDoubt = 0;
  let longestGapMs = 0;
  for (const call of evidence.calls) {
    const archive = checkArchive(call, doubtful);
    violations.push(...archive.violations, ...checkPolls(call, evidence));
    inDoubt += archive.inDoubt;
    longestGapMs = Math.max(longestGapMs, longestGap(call).ms);
  }
  return { violations, inDoubt, longestGapMs: Math.round(longestGapMs) };
}
