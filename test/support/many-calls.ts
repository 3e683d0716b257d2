import { expect } from 'vitest';
import type { Simulator } from '../../src/simulator/simulator.ts';
import { client } from './client.ts';

const CALLS = 200;
const STATUSES = ['queued', 'calling', 'success'] as const;

/** What became of the calls. */
export interface Followed {
  /** Whose history in the archive is not what PolyAI showed. */
  lost: string[];
  /** Between two polls of one call, in milliseconds. */
  longestGapMs: number;
}

/**
 * Has 200 calls followed from their registration to their end while something goes wrong: half are registered before,
 * half in the middle of it, and all end after it. PolyAI shows each status until an answer has shown it.
 */
export async function followThrough(
  url: string,
  simulator: Simulator,
  incident: (meanwhile: () => Promise<void>) => Promise<void>,
): Promise<Followed> {
  const polykeep = client(url);
  const callSids: string[] = [];

  async function registerHalf(): Promise<void> {
    const placed = Array.from({ length: CALLS / 2 }, () =>
      simulator.place({ script: [{ status: STATUSES[0], forMs: Infinity }] }),
    );
    callSids.push(...placed);
    const answers = await Promise.all(placed.map((callSid) => polykeep.register(callSid)));
    expect(answers.filter(({ status }) => status !== 201)).toEqual([]);
  }

  async function untilShown(status: string): Promise<void> {
    const unseen = () =>
      callSids.filter((callSid) => simulator.journal.shownStatuses(callSid).at(-1) !== status);
    await expect.poll(unseen, { interval: 200 }).toEqual([]);
  }

  await registerHalf();
  await untilShown(STATUSES[0]);
  await incident(registerHalf);
  for (const status of STATUSES) {
    for (const callSid of callSids) simulator.setStatus(callSid, status);
    await untilShown(status);
  }
  const unsettled = async () => (await polykeep.list()).filter(({ outcome }) => outcome !== 'success').length;
  await expect.poll(unsettled, { interval: 500 }).toBe(0);
  const lost: string[] = [];
  for (const callSid of callSids) {
    const { transitions } = await polykeep.call(callSid);
    const kept = transitions.map(({ status }) => status).join();
    if (kept !== simulator.journal.shownStatuses(callSid).join()) lost.push(callSid);
  }
  return { lost, longestGapMs: Math.max(...callSids.map((callSid) => longestGap(simulator, callSid))) };
}

function longestGap(simulator: Simulator, callSid: string): number {
  const times = simulator.journal.polls(callSid).map(({ at }) => at);
  return Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? at)));
}
