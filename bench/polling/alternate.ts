import { setTimeout as sleep } from 'node:timers/promises';
import { endlessCalls } from '../lives.ts';
import { CALLS } from './calls.ts';
import type { Candidate, Running } from './candidate.ts';
import { type Measured, measureWindow } from './measure.ts';

/** By the candidates' letters. */
export type Rounds = Record<string, Measured>[];

export interface Turns {
  warmUpMs: number;
  /** After a candidate goes on, until it is looked at. */
  settleMs: number;
  windowMs: number;
  rounds: number;
}

/**
 * Candidates in turns of a second or two: each is started once, and stands still (`SIGSTOP`) while another has its turn.
 * So the rounds of a ratio lie close together, and what else goes on in the machine strikes both. The calls never end:
 * what is measured is asking. All rounds are run for each of the settings, which the upstream is put to before.
 */
export async function alternate(
  candidates: readonly Candidate[],
  { warmUpMs, settleMs, windowMs, rounds }: Turns,
  settings: readonly (() => Promise<unknown>)[] = [async () => {}],
): Promise<Rounds[]> {
  await using stack = new AsyncDisposableStack();
  const running: [letter: string, Running][] = [];
  for (const candidate of candidates) {
    const one = await candidate.start();
    stack.defer(() => {
      signal(one, 'SIGCONT');
      return one.stop();
    });
    await one.follow(endlessCalls(CALLS));
    await sleep(warmUpMs);
    signal(one, 'SIGSTOP');
    running.push([candidate.letter, one]);
  }
  const measured: Rounds[] = [];
  for (const set of settings) {
    await set();
    const ofSetting: Rounds = [];
    for (let n = 0; n < rounds; n++) {
      const round: Record<string, Measured> = {};
      for (const [letter, one] of running) {
        signal(one, 'SIGCONT');
        await sleep(settleMs);
        round[letter] = await measureWindow(one, windowMs);
        signal(one, 'SIGSTOP');
      }
      ofSetting.push(round);
    }
    measured.push(ofSetting);
  }
  return measured;
}

function signal({ pids }: Running, name: 'SIGSTOP' | 'SIGCONT'): void {
  process.kill(pids.own, name);
}
