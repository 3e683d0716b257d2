import type { Window } from './windows.ts';

/** What was wrong, and from when to when. */
export type IncidentKind =
  | 'worker killed'
  | 'worker stopped'
  | 'worker paused'
  | 'api killed'
  | 'redis flushed'
  | 'redis cut'
  | 'redis away'
  | 'postgres cut'
  | 'postgres away'
  | 'token refused'
  | 'polyai';

export interface Incident extends Window {
  kind: IncidentKind;
  /** Which worker, or which of PolyAI's misbehaviours. */
  detail: string;
}

export type Say = (line: string) => void;

/** Keeps what was done to the cluster, and says each thing when it begins. */
export class IncidentLog {
  readonly #incidents: Incident[] = [];
  readonly #startedAt = Date.now();
  readonly #say: Say;

  constructor(say: Say) {
    this.#say = say;
  }

  /** What is not ended yet lasts until now. */
  get all(): Incident[] {
    return this.#incidents.map((incident) => ({ ...incident, until: Math.min(incident.until, Date.now()) }));
  }

  /** The function that is returned ends it. */
  begin(kind: IncidentKind, detail = '', saying = ''): () => void {
    const incident = { kind, detail, from: Date.now(), until: Infinity };
    this.#incidents.push(incident);
    this.say([kind, detail, saying].filter((part) => part !== '').join(' '));
    return () => {
      incident.until = Date.now();
    };
  }

  /** Something of a moment. */
  note(kind: IncidentKind): void {
    this.begin(kind)();
  }

  say(line: string): void {
    this.#say(`${((Date.now() - this.#startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  }
}
