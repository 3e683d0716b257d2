/**
 * Why a request brought nothing:
 *
 * - **away**: nobody answered. The browser has no net, or polykeep is not running.
 * - **refused**: the key is none, or there is none.
 * - **problem**: polykeep said what is wrong, in `detail`.
 */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly kind: 'away' | 'refused' | 'problem';
  readonly status: number;
  /** polykeep's name for the problem; empty without one. */
  readonly code: string;

  constructor(kind: Failure['kind'], detail: string, status = 0, code = '') {
    super(detail);
    this.kind = kind;
    this.status = status;
    this.code = code;
  }
}

/** What was thrown as a failure; null for a request that the page itself gave up. */
export function failureOf(error: unknown): Failure | null {
  if (error instanceof Failure) return error;
  if (error instanceof DOMException && error.name === 'AbortError') return null;
  return new Failure('away', error instanceof Error ? error.message : String(error));
}
