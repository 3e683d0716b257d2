import type { Outcome } from './call.ts';

/** What others are told of a call. */
export const CALL_EVENTS = ['call.settled', 'call.transition'] as const;
export type CallEvent = (typeof CALL_EVENTS)[number];

/** The numbers that the archive keeps events by: one that was given out keeps its meaning. */
export const EVENT_CODES: Readonly<Record<CallEvent, number>> = { 'call.transition': 1, 'call.settled': 2 };

/** Something that happened to a call, in the order in which it is told: a transition goes before the end it brought. */
export type Happening =
  | { event: 'call.transition'; seq: number; at: Date }
  /** `seq`: of the last transition before; 0 where there was none. */
  | { event: 'call.settled'; seq: number; at: Date; outcome: Outcome };
