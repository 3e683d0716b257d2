import type { FoldedCall } from './fold.ts';

/**
 * Whether a batch of reports changes what a call counts for in statistics: all that is counted of one that is followed
 * is that it is there. Of a settled one its polls and the stays in its statuses are.
 */
export function countsAnew({ wasSettled, after, transitions, polls, failedPolls }: FoldedCall): boolean {
  const isSettled = after.state.outcome !== null;
  if (wasSettled !== isSettled) return true;
  return isSettled && (transitions.length > 0 || polls > 0 || failedPolls > 0);
}
