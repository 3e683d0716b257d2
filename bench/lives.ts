/**
 * Calls whose lives stand in their callSids, so that nobody need be told of them: queued from the start, calling after
 * so long, a success after so long again. All times in milliseconds.
 */
export interface Life {
  /** Since the epoch. */
  startsAt: number;
  queuedMs: number;
  callingMs: number;
}

export type Status = 'queued' | 'calling' | 'success';

/** `n` sets calls of the same life apart. A duration that never ends is Infinity. */
export function callSidOf({ startsAt, queuedMs, callingMs }: Life, n: number): string {
  return `OUT-${[startsAt, queuedMs, callingMs, n].map(text).join('-')}`;
}

/** Calls that stay queued for ever. */
export function endlessCalls(count: number): string[] {
  const life = { startsAt: Date.now(), queuedMs: Number.POSITIVE_INFINITY, callingMs: 0 };
  return Array.from({ length: count }, (_, n) => callSidOf(life, n));
}

/** Throws where it is no callSid of `callSidOf`. */
export function lifeOf(callSid: string): Life {
  const [, startsAt, queuedMs, callingMs] = callSid.split('-');
  if (startsAt === undefined || queuedMs === undefined || callingMs === undefined) {
    throw new Error(`${callSid} tells of no life`);
  }
  return { startsAt: ms(startsAt), queuedMs: ms(queuedMs), callingMs: ms(callingMs) };
}

export function statusOf(callSid: string, now: number): Status {
  const { startsAt, queuedMs, callingMs } = lifeOf(callSid);
  if (now < startsAt + queuedMs) return 'queued';
  return now < startsAt + queuedMs + callingMs ? 'calling' : 'success';
}

function text(ms: number): string {
  return ms === Infinity ? 'x' : Math.round(ms).toString(36);
}

function ms(text: string): number {
  return text === 'x' ? Infinity : Number.parseInt(text, 36);
}
