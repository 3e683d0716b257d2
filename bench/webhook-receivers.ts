import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Arrival } from './webhook-receiver.ts';

const RECEIVER = fileURLToPath(new URL('./webhook-receiver.ts', import.meta.url));
const Arrivals = Type.Unsafe<Arrival[]>(Type.Array(Type.Unknown()));

/** An endpoint in a process of its own. */
export interface Receiver extends Disposable {
  url: string;
  /** What it was told since it was last asked. */
  take(): Promise<Arrival[]>;
}

export async function startReceiver(): Promise<Receiver> {
  const child = fork(RECEIVER);
  const [url] = await once(child, 'message');
  return {
    url: String(url),
    async take() {
      child.send({ take: true });
      const [arrivals] = await once(child, 'message');
      return Value.Parse(Arrivals, arrivals);
    },
    [Symbol.dispose]: () => void child.kill(),
  };
}

/** Of a webhook that is told of every transition. */
export function settingsOf(url: string) {
  const events = ['call.transition'] as const;
  return { url, events, account: null, metadata: {}, description: null };
}
