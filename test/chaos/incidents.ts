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
  /** It answers a ping, and takes no write. */
  | 'redis refusing'
  | 'postgres cut'
  | 'postgres away'
  /** It answers a read, and takes no write. */
  | 'postgres read-only'
  /** As after a failover: the connections that were open take no write, new ones do. */
  | 'postgres failover'
  | 'table locked'
  | 'token refused'
  | 'polyai'
  /** What lies before PolyAI answers each request itself. */
  | 'gateway'
  | 'connections frozen'
  /** Nobody reads the log of a process. */
  | 'log unread';

export interface Incident extends Window {
  kind: IncidentKind;
  /** Which process, or which of PolyAI's misbehaviours. */
  detail: string;
}

/** While one of these lasts, nothing that was seen can be written. */
const POSTGRES_OUT: ReadonlySet<IncidentKind> = new Set([
  'postgres away',
  'postgres cut',
  'postgres read-only',
  'postgres failover',
  'table locked',
]);

export function isPostgresOut({ kind }: Incident): boolean {
  return POSTGRES_OUT.has(kind);
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
  note(kind: IncidentKind, detail = ''): void {
    this.begin(kind, detail)();
  }

  say(line: string): void {
    this.#say(`${((Date.now() - this.#startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  }
}
