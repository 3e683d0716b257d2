/** What a run shows to be wrong. */
export type ViolationKind =
  /** Not settled as it ended. */
  | 'lost'
  /** A status that was shown and is not stored. */
  | 'missing'
  | 'duplicate'
  | 'disorder'
  /** Stored and never shown, or with times at which it cannot have been. */
  | 'invented'
  | 'poll after the end'
  | 'gap'
  | 'double poll'
  /** Nobody has promised to follow it for long. */
  | 'overdue'
  /** Followed, though nobody has promised it: the sweeper would hand it to others. */
  | 'unpromised'
  | 'left in Redis'
  | 'exit'
  | 'death'
  | 'odd answer';

export interface Violation {
  kind: ViolationKind;
  callSid: string | null;
  detail: string;
}
