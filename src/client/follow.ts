import { type Api, endOf } from './api.ts';
import { createRetrying, dataOf, type Patience } from './retrying.ts';
import type { Call } from './types.ts';

export interface FollowOptions extends Patience {
  /** Needed where polykeep has several. */
  account?: string;
  metadata?: Record<string, string>;
}

const PATIENCE_MS = 60_000;
/** The longest that polykeep holds a request. */
const WAIT_S = 60;
const ANSWER_WITHIN_MS = 60_000;

/**
 * Registers a call, which has it followed, and gives it when it has ended, by PolyAI's word or a conclusion: `outcome` says
 * which. A conclusion that there was is taken back by the registration. Rejects with a `ProblemError` where polykeep
 * refuses it or the call is erased meanwhile, with the last error where polykeep was away for `patienceMs` (a minute), and
 * with the signal's reason.
 */
export async function follow(api: Api, callSid: string, options: FollowOptions): Promise<Call> {
  const { signal, account, metadata, onRetry, patienceMs = PATIENCE_MS } = options;
  const retrying = createRetrying({ patienceMs, onRetry, signal });
  const body = {
    callSid,
    ...(account === undefined ? {} : { account }),
    ...(metadata === undefined ? {} : { metadata }),
  };
  let call: Call = await retrying.insist(async () =>
    dataOf(await api.POST('/v1/calls', { body, signal: endOf(signal, ANSWER_WITHIN_MS) })),
  );
  while (call.outcome === null) {
    call = await retrying.insist(async () =>
      dataOf(
        await api.GET('/v1/calls/{callSid}', {
          params: { path: { callSid }, query: { wait: WAIT_S } },
          signal: endOf(signal, WAIT_S * 1_000 + ANSWER_WITHIN_MS),
        }),
      ),
    );
  }
  return call;
}
