import { TokenBucket } from '../../src/simulator/token-bucket.ts';
import { statusOf } from '../lives.ts';

/** What the upstream says to a request, and what it counts of them. Made beforehand: it is not what is measured. */

export interface Said {
  code: 200 | 429 | 502;
  body: string;
}

/** A connection, or a session of HTTP/2. */
export interface Peer {
  /** The report that it was last counted in. */
  countedIn: number;
}

/** What is wrong with the upstream from now on. */
export interface Trouble {
  /** Requests beyond it are answered 429; null: there is no limit. */
  limitPerSecond: number | null;
  /** The share of the others that is answered 502. */
  failing: number;
}

/** By which time calls live: it stands still, or is behind the clock. */
export type LifeTime = { heldAt: number } | { laterBy: number };

export interface Report {
  /** Polls since the last report, those that were refused or failed too. */
  polls: number;
  refused: number;
  failed: number;
  /** Over which a request came since then. */
  connections: number;
  /** By milliseconds, how many polls came so long after the call's last one: only where `intervals` was asked for. */
  intervals: [ms: number, polls: number][];
}

const PATH = '/v1/outbound-calling/';
const END = '/status';
const STATUSES = new Map<string, Said>(
  ['queued', 'calling', 'success'].map((status) => [
    status,
    { code: 200, body: JSON.stringify({ status, reason: '' }) },
  ]),
);
const TOO_MANY: Said = { code: 429, body: '{"error":"too many requests"}' };
const FAILED: Said = { code: 502, body: '{"error":"bad gateway"}' };
const LONGEST_MS = 120_000;

export class Answers {
  readonly #intervals = new Uint32Array(LONGEST_MS + 1);
  #asked: Map<string, number> | null = null;
  #limit: TokenBucket | null = null;
  #failing = 0;
  #lifeTime: LifeTime = { laterBy: 0 };
  #polls = 0;
  #refused = 0;
  #failed = 0;
  #connections = 0;
  #reports = 1;

  /** `path` may have anything behind it, as the rest of a request. */
  to(path: string, peer: Peer): Said {
    const from = path.indexOf(PATH) + PATH.length;
    const callSid = path.slice(from, path.indexOf(END, from));
    const now = Date.now();
    this.#polls++;
    if (peer.countedIn !== this.#reports) this.#count(peer);
    if (this.#limit?.allows(performance.now()) === false) {
      this.#refused++;
      return TOO_MANY;
    }
    if (this.#failing > 0 && Math.random() < this.#failing) {
      this.#failed++;
      return FAILED;
    }
    if (this.#asked !== null) this.#measure(this.#asked, callSid, now);
    return STATUSES.get(statusOf(callSid, this.#lived(now))) ?? FAILED;
  }

  #lived(now: number): number {
    return 'heldAt' in this.#lifeTime ? this.#lifeTime.heldAt : now - this.#lifeTime.laterBy;
  }

  keepIntervals(on: boolean): void {
    this.#asked = on ? new Map() : null;
  }

  setLifeTime(lifeTime: LifeTime): void {
    this.#lifeTime = lifeTime;
  }

  setTrouble({ limitPerSecond, failing }: Trouble): void {
    this.#limit = limitPerSecond === null ? null : new TokenBucket(limitPerSecond, performance.now());
    this.#failing = failing;
  }

  report(): Report {
    const seen: Report = {
      polls: this.#polls,
      refused: this.#refused,
      failed: this.#failed,
      connections: this.#connections,
      intervals: [],
    };
    for (const [ms, count] of this.#intervals.entries()) if (count > 0) seen.intervals.push([ms, count]);
    this.#polls = this.#refused = this.#failed = this.#connections = 0;
    this.#reports++;
    this.#intervals.fill(0);
    return seen;
  }

  #count(peer: Peer): void {
    peer.countedIn = this.#reports;
    this.#connections++;
  }

  #measure(asked: Map<string, number>, callSid: string, now: number): void {
    const last = asked.get(callSid);
    asked.set(callSid, now);
    if (last === undefined) return;
    const ms = Math.min(LONGEST_MS, Math.max(0, now - last));
    this.#intervals[ms] = (this.#intervals[ms] ?? 0) + 1;
  }
}
