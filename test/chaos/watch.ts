import { Value } from 'typebox/value';
import { request } from 'undici';
import { HealthJson } from '../../src/api/schemas.ts';
import { pause, within } from './deadline.ts';
import type { ConclusionSample, PromiseSample, ReadinessSample } from './evidence.ts';
import type { Cluster } from './strike.ts';
import type { Supervised } from './supervised.ts';

const PROMISES_EVERY_MS = 5_000;
const READINESS_EVERY_MS = 1_000;
const ANSWER_WITHIN_MS = 5_000;

export interface Watched {
  promises: PromiseSample[];
  conclusions: ConclusionSample[];
  readiness: ReadinessSample[];
}

/** Samples are added to what is returned for as long as the run lasts. */
export function watchCluster(cluster: Cluster, signal: AbortSignal): Watched {
  const watched: Watched = { promises: [], conclusions: [], readiness: [] };
  void every(PROMISES_EVERY_MS, signal, () => sampleArchive(cluster, watched));
  for (const process of [cluster.api, ...cluster.workers]) {
    void every(READINESS_EVERY_MS, signal, async () => {
      watched.readiness.push({ process: process.name, ...(await readinessOf(process)) });
    });
  }
  return watched;
}

async function every(ms: number, signal: AbortSignal, sample: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await sample();
    await pause(ms, signal);
  }
}

async function sampleArchive({ postgres }: Cluster, { promises, conclusions }: Watched): Promise<void> {
  const at = Date.now();
  const lapsed = await postgres.lapsedCalls();
  if (lapsed !== null) promises.push({ at, lapsed });
  for (const one of (await postgres.conclusions()) ?? []) {
    if (!conclusions.some(({ callSid, outcome }) => callSid === one.callSid && outcome === one.outcome))
      conclusions.push({ at, ...one });
  }
}

async function readinessOf(process: Supervised): Promise<Omit<ReadinessSample, 'process'>> {
  const at = Date.now();
  try {
    const said = await within(ANSWER_WITHIN_MS, 'readiness', askReadiness(process));
    return { at, answeredAt: Date.now(), ...said };
  } catch (error) {
    return { at, answeredAt: Date.now(), state: 'silent', parts: null, said: `${error}` };
  }
}

async function askReadiness(process: Supervised): Promise<Pick<ReadinessSample, 'state' | 'parts' | 'said'>> {
  const { body } = await request(`${await process.url()}/health/ready`, {
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  const answer: unknown = await body.json();
  const said = JSON.stringify(answer);
  return Value.Check(HealthJson, answer)
    ? { state: answer.status, parts: answer.parts, said }
    : { state: 'silent', parts: null, said };
}
