import { type Api, type ApiOptions, createApi } from './api.ts';
import { type FollowOptions, follow } from './follow.ts';
import { type FollowedTransition, type TransitionsOptions, transitions } from './transitions.ts';
import type { Call } from './types.ts';

/** `polykeep/client`: the public API of a running polykeep, for programs in TypeScript. */
export interface PolykeepClient extends Api {
  /** Registers a call and gives it when it has ended: see `follow.ts`. */
  follow(callSid: string, options?: FollowOptions): Promise<Call>;
  /** Every transition once, as they happen: see `transitions.ts`. */
  transitions(options?: TransitionsOptions): AsyncGenerator<FollowedTransition, void, undefined>;
}

export function createClient(options: ApiOptions = {}): PolykeepClient {
  const api = createApi(options);
  return {
    ...api,
    follow: (callSid, followOptions = {}) => follow(api, callSid, followOptions),
    transitions: (transitionsOptions = {}) => transitions(api, transitionsOptions),
  };
}

export type { Api, ApiOptions } from './api.ts';
export type { FollowOptions } from './follow.ts';
export { ProblemError } from './problem-error.ts';
export type { Patience } from './retrying.ts';
export type { FollowedTransition, TransitionsOptions } from './transitions.ts';
export type { Call, FeedTransition, Problem, paths, WebhookEvent } from './types.ts';
export { type ReceivedWebhook, verifyWebhook, WebhookVerificationError } from './webhooks.ts';
