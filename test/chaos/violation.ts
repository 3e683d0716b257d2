/** What a run shows to be wrong. */
export type ViolationKind =
  /** Not settled as it ended. */
  | 'lost'
  /** A conclusion on a call that PolyAI still knew. */
  | 'wrongly concluded'
  /** A status that was shown and is not stored. */
  | 'missing'
  | 'duplicate'
  | 'disorder'
  /** Stored and never shown, or with times at which it cannot have been. */
  | 'invented'
  | 'poll after the end'
  | 'gap'
  /** Asked over a connection that had long been silent: nobody was told. */
  | 'blind'
  | 'double poll'
  /** Nobody has promised to follow it for long. */
  | 'overdue'
  /** Followed, though nobody has promised it: the sweeper would hand it to others. */
  | 'unpromised'
  /** Ready, though a fault has stopped work for long. */
  | 'readiness late'
  /** Not ready, though all has been well for long. */
  | 'readiness stuck'
  | 'left in Redis'
  /** Statistics are not those of the calls. */
  | 'miscounted'
  /** An endpoint was not told of something, or otherwise than it was. */
  | 'told wrongly'
  | 'exit'
  | 'death'
  | 'odd answer';

export interface Violation {
  kind: ViolationKind;
  callSid: string | null;
  detail: string;
}
