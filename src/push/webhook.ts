import type { Metadata } from '../call/call.ts';
import { CALL_EVENTS, type CallEvent, EVENT_CODES } from '../call/event.ts';

/** What a webhook is told of, and where. */
export interface WebhookSettings {
  url: string;
  events: readonly CallEvent[];
  /** null: of all accounts. */
  account: string | null;
  /** What the metadata of a call must contain. */
  metadata: Metadata;
  description: string | null;
}

/** Why a webhook was disabled: by a client, by the receiver's 410, or since nothing had succeeded for days. */
export type DisabledReason = 'by request' | 'gone' | 'failing';

export interface Webhook extends WebhookSettings {
  id: string;
  enabled: boolean;
  disabledReason: DisabledReason | null;
  disabledAt: Date | null;
  /** The first failed attempt since one succeeded. */
  failingSince: Date | null;
  createdAt: Date;
}

/** What is needed to sign for a webhook. */
export interface Signer {
  id: string;
  /** When each secret took the place of the one before, oldest first. */
  rotations: readonly Date[];
  /** What the secret's root was known by when the secret was shown. */
  secretCheck: string;
}

/** The event of this number; undefined where there is none. */
export function eventOf(code: number): CallEvent | undefined {
  return CALL_EVENTS.find((event) => EVENT_CODES[event] === code);
}

/** The most endpoints that there may be for one account, and for all accounts together. */
export const MAX_WEBHOOKS = 50;
