import { checkArchive } from './check-archive.ts';
import { checkCluster } from './check-cluster.ts';
import { checkConclusions } from './check-conclusions.ts';
import { checkPolls, longestGap } from './check-polls.ts';
import { checkReadiness } from './check-readiness.ts';
import { checkStatistics } from './check-statistics.ts';
import { checkTold } from './check-told.ts';
import { doubts } from './doubts.ts';
import type { Evidence } from './evidence.ts';
import type { Violation } from './violation.ts';

export interface Verdict {
  violations: Violation[];
  /** Statuses that were shown to processes that cannot have kept them, and are not stored. */
  inDoubt: number;
  longestGapMs: number;
}

/** Holds what polykeep tells against what PolyAI showed. */
export function check(evidence: Evidence): Verdict {
  const doubtful = doubts(evidence);
  const violations: Violation[] = [
    ...checkCluster(evidence),
    ...checkConclusions(evidence),
    ...checkReadiness(evidence),
    ...checkStatistics(evidence),
    ...checkTold(evidence),
  ];
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
