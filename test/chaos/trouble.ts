import type { Fault as PolyAiFault } from '../../src/simulator/fault.ts';
import type { ShutdownMode } from './postgres.ts';
import type { Refusal } from './redis.ts';

/** Something to be done to the cluster. */
export type ClusterFault =
  | { kind: 'kill worker'; worker: number; awayMs: number }
  | { kind: 'stop worker'; worker: number; awayMs: number }
  | { kind: 'pause worker'; worker: number; forMs: number }
  | { kind: 'kill api'; awayMs: number }
  | { kind: 'flush redis' }
  | { kind: 'cut redis' }
  | { kind: 'redis away'; forMs: number }
  | { kind: 'restart postgres'; mode: ShutdownMode }
  | { kind: 'cut postgres' }
  | { kind: 'postgres away'; forMs: number };

/** Something that half works. */
export type GrayFault =
  | { kind: 'redis refuses'; by: Refusal; forMs: number }
  | { kind: 'postgres read-only'; forMs: number }
  | { kind: 'fail over postgres'; forMs: number }
  | { kind: 'lock table'; forMs: number }
  | { kind: 'gateway'; code: 404 | 502; body: string; forMs: number }
  | { kind: 'burst of 429'; forMs: number }
  | { kind: 'freeze connections'; forMs: number }
  /** At its end the worker is stopped, with its log still unread. */
  | { kind: 'stop reading log'; worker: number; forMs: number };

/** Something to go wrong at PolyAI: for a share of its answers, or for so many answers of so many calls. */
export type PolyAiTrouble = { kind: 'polyai'; fault: PolyAiFault } & (
  | { share: number; forMs: number }
  | { calls: number; times: number }
);

export type Trouble = ClusterFault | GrayFault | PolyAiTrouble | { kind: 'refuse token'; forMs: number };
