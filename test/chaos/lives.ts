import type { BodyStyle, Step } from '../../src/simulator/life.ts';

export interface PlannedCall {
  callSid: string;
  style: BodyStyle;
  script: Step[];
}

type Random = () => number;

/** On the way to the end, in the order that polykeep ranks them; a call lives through some of them. */
const MIDDLES = ['calling', 'ringing', 'in-progress'] as const;
/** No two changes lie in the same second, so that the whole seconds of `last_updated` tell which is the older. */
const STEP_MIN_MS = 1_100;

/** A call that ends within `endsWithinMs` of being placed; some live through most of that time. */
export function drawCall(random: Random, number: number, seed: number, endsWithinMs: number): PlannedCall {
  const style = random() < 0.5 ? 'march-2026' : 'mid-2026';
  const middles = drawMiddles(random, style);
  const steps = [{ status: 'queued' }, ...middles];
  const lengthMs = Math.max(drawLength(random, endsWithinMs), steps.length * STEP_MIN_MS);
  return {
    callSid: callSidOf(number, seed, style),
    style,
    script: [...spread(random, steps, lengthMs), { ...drawEnd(random), forMs: 0 }],
  };
}

/** A call that PolyAI forgets before it has ended. */
export function forgottenCall(number: number, seed: number): PlannedCall {
  const style = 'march-2026';
  return {
    callSid: callSidOf(number, seed, style),
    style,
    script: [
      { status: 'queued', forMs: 2_500 },
      { status: 'in-progress', forMs: 0 },
    ],
  };
}

/** Most are gone in half a minute. */
function drawLength(random: Random, endsWithinMs: number): number {
  const drawn = random();
  const [from, to] = drawn < 0.5 ? [0.01, 0.08] : drawn < 0.8 ? [0.08, 0.35] : [0.6, 1];
  return endsWithinMs * (from + random() * (to - from));
}

function drawMiddles(random: Random, style: BodyStyle): { status: string; reason?: string }[] {
  const middles: { status: string; reason?: string }[] = MIDDLES.filter(() => random() < 0.6).map(
    (status) => ({
      status,
    }),
  );
  // Without times and without a rank nobody can tell a stale read of it from a change back to it.
  if (style === 'march-2026' && random() < 0.2) {
    middles.splice(Math.floor(random() * (middles.length + 1)), 0, { status: 'voicemail' });
  }
  // A reason that changes while the status stays.
  const last = middles.at(-1);
  if (style === 'mid-2026' && last !== undefined && random() < 0.2) {
    middles.push({ ...last, reason: 'second attempt' });
  }
  return middles;
}

function drawEnd(random: Random): { status: string; reason?: string } {
  const ends = [
    { status: 'success' },
    { status: 'success', reason: 'goal reached' },
    { status: 'completed' },
    { status: 'failure', reason: 'hung up' },
    { status: 'no-answer' },
    { status: 'busy', reason: 'line busy' },
    { status: 'cancelled' },
  ];
  return ends[Math.floor(random() * ends.length)] ?? { status: 'failed' };
}

function spread(
  random: Random,
  steps: readonly { status: string; reason?: string }[],
  lengthMs: number,
): Step[] {
  const weights = steps.map(() => 0.1 + random());
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const free = lengthMs - steps.length * STEP_MIN_MS;
  return steps.map((step, index) => ({
    ...step,
    forMs: Math.round(STEP_MIN_MS + (free * (weights[index] ?? 0)) / total),
  }));
}

/** Opaque, and now and then such that BullMQ does not take it as it is. */
function callSidOf(number: number, seed: number, style: BodyStyle): string {
  if (number % 50 === 7) return `${number}`;
  if (number % 50 === 8) return `call:${number}~._`;
  return style === 'mid-2026' ? `OUT-${seed}-${number}` : `${seed}-${number}`;
}
