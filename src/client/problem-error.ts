import type { Problem } from './types.ts';

/** polykeep refuses a request; that it cannot answer it for now is tried again first. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  /** Of the problem, for programs: it stays (`invalid_request`, `call_not_found`). `unknown` where something else answered. */
  readonly code: string;
  readonly status: number;
  /** What polykeep says of it. */
  readonly problem: Problem | null;

  constructor(status: number, answer: unknown) {
    const problem = isProblem(answer) ? answer : null;
    super(`polykeep answers ${status}${problem === null ? '' : `: ${problem.detail}`}`);
    this.code = problem?.code ?? 'unknown';
    this.status = status;
    this.problem = problem;
  }
}

function isProblem(answer: unknown): answer is Problem {
  return (
    typeof answer === 'object' &&
    answer !== null &&
    'code' in answer &&
    typeof answer.code === 'string' &&
    'detail' in answer &&
    typeof answer.detail === 'string'
  );
}
