import type { Call, Transition } from '../polykeep/answers.ts';
import { isConclusion } from '../words/outcomes.ts';

/** A stretch of time, in milliseconds since the epoch. */
export interface Stretch {
  from: number;
  to: number;
}

/** One status of the call, and how sure its borders are. */
export interface Stay {
  transition: Transition;
  /** In which it began: between the poll that saw another status and the one that saw this. */
  began: Stretch;
  /** In which it was there for sure; null where no two polls saw it. */
  sure: Stretch | null;
  /** In which it ended; null where it has not, or where it is the end. */
  ended: Stretch | null;
  isEnd: boolean;
}

/** What followed the last poll that brought a status, where no end was seen. */
export interface Silence extends Stretch {
  kind: 'followed' | 'concluded';
}

export interface Life {
  whole: Stretch;
  stays: Stay[];
  silence: Silence | null;
}

export function lifeOf(call: Call, now: number): Life {
  const begin = Math.min(...times(call.registeredAt, call.createdAt, call.firstSeenAt));
  const lastSeen = call.lastSeenAt === null ? begin : Date.parse(call.lastSeenAt);
  const silence = silenceOf(call, lastSeen, now);
  const stays = staysOf(call, begin, silence?.from ?? null);
  const lastChange = stays.at(-1)?.began.to ?? begin;
  return { whole: { from: begin, to: Math.max(lastChange, silence?.to ?? 0, begin + 1) }, stays, silence };
}

function staysOf({ transitions, outcome }: Call, begin: number, lastSeen: number | null): Stay[] {
  return transitions.map((transition, index) => {
    const next = transitions[index + 1];
    const began = changeOf(transition, begin);
    const ended = next === undefined ? null : changeOf(next, began.to);
    const isEnd = next === undefined && outcome !== null && !isConclusion(outcome);
    const sureTo = ended?.from ?? (isEnd ? null : lastSeen);
    const sure = sureTo === null || sureTo <= began.to ? null : { from: began.to, to: sureTo };
    return { transition, began, sure, ended, isEnd };
  });
}

/** Of a first sighting it is only known that it was no later, and not before the call was there. */
function changeOf({ changedAfter, observedAt }: Transition, begin: number): Stretch {
  const to = Date.parse(observedAt);
  return { from: Math.min(to, changedAfter === null ? begin : Date.parse(changedAfter)), to };
}

function silenceOf({ outcome, settledAt }: Call, lastSeen: number, now: number): Silence | null {
  if (outcome === null) return { kind: 'followed', from: lastSeen, to: Math.max(lastSeen, now) };
  if (!isConclusion(outcome) || settledAt === null) return null;
  return { kind: 'concluded', from: lastSeen, to: Math.max(lastSeen, Date.parse(settledAt)) };
}

function times(...given: (string | null)[]): number[] {
  return given.filter((time) => time !== null).map((time) => Date.parse(time));
}

/** How long a stay was, at least and at most; null while it goes on, and for an end. */
export function lengthOf({ began, ended }: Stay): { atLeast: number; atMost: number } | null {
  if (ended === null) return null;
  return { atLeast: Math.max(0, ended.from - began.to), atMost: ended.to - began.from };
}

/** By PolyAI's own clock, where it gave a time for both ends. */
export function ownLengthOf(stay: Stay, next: Stay | undefined): number | null {
  const from = stay.transition.lastUpdated;
  const to = next?.transition.lastUpdated ?? null;
  return from === null || to === null ? null : Math.max(0, Date.parse(to) - Date.parse(from));
}
