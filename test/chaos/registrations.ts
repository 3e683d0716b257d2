import { drawCall, forgottenCall, type PlannedCall } from './lives.ts';
import { between, type Random } from './schedule.ts';

const BATCH_MAX = 40;
const FORGOTTEN_CALLS = 5;

/** Calls that are placed and registered at one moment of the run. */
export interface PlannedRegistration {
  at: number;
  calls: PlannedCall[];
}

export function drawRegistrations(
  random: Random,
  {
    seed,
    calls,
    registeredBy,
    endedBy,
  }: { seed: number; calls: number; registeredBy: number; endedBy: number },
): PlannedRegistration[] {
  const registrations: PlannedRegistration[] = [];
  for (let placed = 0; placed < calls; ) {
    const size = random() < 0.6 ? 1 : between(random, 2, BATCH_MAX);
    const at = Math.round(1_000 + random() * (registeredBy - 1_000));
    const numbers = Array.from({ length: Math.min(size, calls - placed) }, (_, index) => placed + index);
    registrations.push({ at, calls: numbers.map((number) => drawCall(random, number, seed, endedBy - at)) });
    placed += numbers.length;
  }
  return registrations;
}

/** The last of so many calls. */
export function forgottenCalls(seed: number, calls: number): PlannedCall[] {
  return Array.from({ length: Math.min(FORGOTTEN_CALLS, calls) }, (_, index) =>
    forgottenCall(calls - 1 - index, seed),
  );
}
