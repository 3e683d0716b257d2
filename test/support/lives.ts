import type { Simulator } from '../../src/simulator/simulator.ts';

export interface Stay {
  status: string;
  reason?: string;
}

const LOOK_EVERY_MS = 20;

/**
 * Places calls whose statuses last until an answer has shown them, so that every life is seen whole, however slow the
 * machine. `stop` leaves the calls as they are.
 */
export function livesUntilSeen(simulator: Simulator, life: readonly Stay[]) {
  const living = new Map<string, number>();

  function liveOn(): void {
    for (const [callSid, at] of living) {
      const shown = simulator.journal.polls(callSid).at(-1)?.shown?.status;
      if (shown?.toLowerCase() !== life[at]?.status) continue;
      const next = life[at + 1];
      if (next === undefined) living.delete(callSid);
      else {
        living.set(callSid, at + 1);
        simulator.setStatus(callSid, next.status, next.reason);
      }
    }
  }

  const timer = setInterval(liveOn, LOOK_EVERY_MS);
  return {
    /** One that begins its life now; with the callSid that is given, or one of the simulator's. */
    place(callSid?: string): string {
      const script = life.slice(0, 1).map((first) => ({ ...first, forMs: Infinity }));
      const placed = simulator.place({ script, ...(callSid === undefined ? {} : { callSid }) });
      living.set(placed, 0);
      return placed;
    },
    stop: () => clearInterval(timer),
  };
}
