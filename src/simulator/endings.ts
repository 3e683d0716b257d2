import type { Step } from './life.ts';
import type { Life } from './simulated-calls.ts';

/** A way for a call to end, which its callSid or the number that is called says. */
export interface Ending {
  /** What a callSid begins with, after PolyAI's `OUT-` or without it. */
  name: string;
  /** The last two digits of the number, where the call is placed as with PolyAI; null: it can only be asked for. */
  digits: string | null;
  /** In words, for people. */
  told: string;
  /** null: PolyAI does not know such a call. */
  life: Life | null;
}

const QUEUED: Step = { status: 'queued', forMs: 2_000 };
const CALLING: Step = { status: 'calling', forMs: 5_000 };
const ENDLESS: Step = { ...CALLING, forMs: Infinity };

/** The first is how a call ends whose number says nothing else. */
export const ENDINGS: readonly [Ending, ...Ending[]] = [
  {
    name: 'success',
    digits: '00',
    told: 'queued 2 s, calling 5 s, success',
    life: { script: [QUEUED, CALLING, end('success')] },
  },
  {
    name: 'no-answer',
    digits: '01',
    told: 'queued 2 s, calling 5 s, failure: no answer',
    life: { script: [QUEUED, CALLING, end('failure', 'no answer')] },
  },
  {
    name: 'busy',
    digits: '02',
    told: 'queued 2 s, calling 5 s, failure: busy',
    life: { script: [QUEUED, CALLING, end('failure', 'busy')] },
  },
  {
    name: 'timeout',
    digits: '03',
    told: 'queued 7 s, failure: call queueing: max timeout limit exceeded',
    life: {
      script: [{ ...QUEUED, forMs: 7_000 }, end('failure', 'call queueing: max timeout limit exceeded')],
    },
  },
  {
    name: 'endless',
    digits: '04',
    told: 'queued 2 s, calling for ever',
    life: { script: [QUEUED, ENDLESS] },
  },
  {
    name: 'lost',
    digits: '05',
    told: 'queued 2 s, calling 5 s, then unknown: 404',
    life: { script: [QUEUED, ENDLESS], forgetAfterMs: 7_000 },
  },
  { name: 'invalid', digits: null, told: 'no valid id: 400', life: null },
];

function end(status: string, reason = ''): Step {
  return { status, reason, forMs: 0 };
}

/** null where the callSid says nothing. */
export function endingOfCallSid(callSid: string): Ending | null {
  return ENDINGS.find(({ name }) => callSid.replace(/^OUT-/, '').startsWith(`${name}-`)) ?? null;
}

/** By the fields of the request that places a call. */
export function endingOfNumber({ to_number, toNumber }: Record<string, unknown>): Ending {
  const number = `${to_number ?? toNumber}`;
  return ENDINGS.find(({ digits }) => digits !== null && number.endsWith(digits)) ?? ENDINGS[0];
}
