import { storableText } from '../call/limits.ts';
import type { Claim } from './claims.ts';
import type { Answer } from './post.ts';
import type { Health, Outcome } from './results.ts';
import { holdMs, nextAttemptMs } from './schedule.ts';

const GONE = 410;

/** What follows from an answer, for the delivery. */
export function outcomeOf(claim: Claim, answer: Answer, at: Date, random: () => number): Outcome {
  const { result, statusCode, error, text, ms } = answer;
  if (result === 'stopped') return { claim, status: 'waiting', afterMs: 0, attempt: null };
  const words = error === null ? null : storableText(error);
  const attempt = { at: at.toISOString(), ms, statusCode, error: words, answer: storableText(text) };
  if (result === 'success') return { claim, status: 'delivered', afterMs: 0, attempt };
  const afterMs = statusCode === GONE ? null : nextAttemptMs(claim.attempts + 1, answer.retryAfterMs, random);
  return { claim, status: afterMs === null ? 'failed' : 'waiting', afterMs: afterMs ?? 0, attempt };
}

/** What follows for its endpoint; null where nothing does. */
export function healthOf({ webhook }: Claim, answer: Answer): Health | null {
  const { result, statusCode, retryAfterMs } = answer;
  const anySucceeded = result === 'success';
  if (result === 'stopped' || (anySucceeded && !webhook.isFailing)) return null;
  return {
    number: webhook.number,
    anySucceeded,
    isGone: statusCode === GONE,
    holdMs: statusCode === 429 || statusCode === 503 ? holdMs(retryAfterMs) : null,
  };
}

/** One for each endpoint: a statement writes a row once. */
export function together(health: readonly Health[]): Health[] {
  const merged = new Map<number, Health>();
  for (const one of health) {
    const { number, anySucceeded, isGone, holdMs } = merged.get(one.number) ?? one;
    merged.set(number, {
      number,
      anySucceeded: anySucceeded || one.anySucceeded,
      isGone: isGone || one.isGone,
      holdMs: holdMs === null || one.holdMs === null ? (holdMs ?? one.holdMs) : Math.max(holdMs, one.holdMs),
    });
  }
  return [...merged.values()];
}
