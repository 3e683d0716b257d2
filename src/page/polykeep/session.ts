import { computed, signal } from '@preact/signals';
import type { About } from './answers.ts';
import { ask, hasKey, isRefused, keepKey } from './client.ts';
import { type Failure, failureOf } from './failure.ts';

/** Who looks, and at what; null before polykeep has said so. */
export const about = signal<About | null>(null);
/** Why the page cannot open; null where it can. */
export const openingFailure = signal<Failure | null>(null);

/** A `read` key sees no button that writes. Without keys whoever reaches polykeep may do all. */
export const mayWrite = computed(() => about.value !== null && about.value.key?.scope !== 'read');
export const mustSignIn = computed(() => isRefused.value);

/** Asks who we are: with the key of this tab, if there is one. */
export async function open(): Promise<void> {
  try {
    about.value = await ask<About>('/v1/about');
    isRefused.value = false;
    openingFailure.value = null;
  } catch (error) {
    openingFailure.value = failureOf(error);
  }
}

/** Returns whether polykeep takes the key; where it does not, the key is forgotten. */
export async function signIn(key: string): Promise<boolean> {
  keepKey(key);
  await open();
  const isTaken = openingFailure.value === null;
  if (openingFailure.value?.kind === 'refused') keepKey(null);
  return isTaken;
}

export function signOut(): void {
  keepKey(null);
  about.value = null;
  isRefused.value = true;
}

export const isSignedIn = () => hasKey();
