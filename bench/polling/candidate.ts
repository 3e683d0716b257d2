import type { Upstream } from '../upstream/upstream.ts';

/** Something that polls calls: polykeep in one of its modes, or a peer. */
export interface Candidate {
  /** As the issue has it. */
  letter: string;
  name: string;
  ours: boolean;
  /** What was set, and what was found best. */
  settings: string;
  /** What it does not do that polykeep does; empty for polykeep itself. */
  lacks: string;
  start(): Promise<Running>;
}

/** A candidate that is ready for its calls. */
export interface Running {
  /** null where it has none. */
  pids: { own: number; redis: number | null; postmaster: number | null };
  /** Which it asks. */
  upstream: Upstream;
  /** Resolves when it follows them, or will do so at once. */
  follow(callSids: string[]): Promise<void>;
  stop(): Promise<void>;
}
