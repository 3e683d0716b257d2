import type { PollEntry, Shown } from '../../src/simulator/journal.ts';
import type { Change } from '../../src/simulator/life.ts';
import type { CallEvidence } from './evidence.ts';

/** A status of a call's real life, from its first change to it on; reasons may change while it stays. */
export interface Stage {
  status: string;
  at: number;
}

/** A poll that showed a status. */
export interface Showing extends PollEntry {
  finishedAt: number;
  shown: Shown;
}

/** In the words of the archive, which lower-cases them. */
export function stagesOf(changes: readonly Change[]): Stage[] {
  const stages: Stage[] = [];
  for (const { status, at } of changes) {
    const name = status.toLowerCase();
    if (stages.at(-1)?.status !== name) stages.push({ status: name, at });
  }
  return stages;
}

/** What whole 200 answers showed, in the order in which they were asked for. */
export function showingsOf(call: CallEvidence): Showing[] {
  return call.polls.filter(isShowing).toSorted((a, b) => a.at - b.at);
}

export function isShowing(poll: PollEntry): poll is Showing {
  return poll.shown !== null && poll.finishedAt !== null;
}

export function stageOf(stages: readonly Stage[], { shown }: Showing): number {
  return stages.findIndex(({ status }) => status === shown.status.toLowerCase());
}

export function reasonOf(text: string | null): string {
  return text ?? '';
}
