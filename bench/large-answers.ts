import { request } from 'undici';
import { spawnSidecar } from '../test/support/sidecar.ts';
import { eventLoopOf, WATCH_EVENT_LOOP } from './event-loop-of.ts';
import { ask } from './requests.ts';

export interface LargeAnswer {
  name: string;
  /** While it was given, from a process that does nothing else; milliseconds. */
  eventLoopP99: number;
}

const PAGE = '/v1/calls?limit=1000';
const WARM_UP_MS = 1_500;

/** How late the event loop of a sidecar is while it gives large answers, one at a time. */
export async function measureLargeAnswers(
  environment: Record<string, string>,
  forMs: number,
): Promise<LargeAnswer[]> {
  const sidecar = spawnSidecar({ ...environment, ...WATCH_EVENT_LOOP });
  try {
    const url = await sidecar.url();
    await ask(url, [PAGE], 1, { forMs: WARM_UP_MS, least: 3 });
    const measured: LargeAnswer[] = [];
    for (const [name, give] of [
      ['a page of 1,000', () => ask(url, [PAGE], 1, { forMs, least: 3 })],
      ['an export, ndjson', () => drain(`${url}/v1/export`)],
      ['an export, csv', () => drain(`${url}/v1/export?format=csv`)],
    ] as const) {
      // What was before is not its fault.
      await eventLoopOf(sidecar);
      await give();
      measured.push({ name, eventLoopP99: await eventLoopOf(sidecar) });
    }
    return measured;
  } finally {
    await sidecar.end('SIGTERM');
  }
}

async function drain(url: string): Promise<void> {
  const { statusCode, body } = await request(url, { bodyTimeout: 0 });
  if (statusCode !== 200) throw new Error(`${url}: ${statusCode}`);
  for await (const _ of body);
}
