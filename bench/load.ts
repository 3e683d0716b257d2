import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type Dispatcher, Pool } from 'undici';

/**
 * Registers calls as fast as they are taken, in a process of its own: `node bench/load.ts --url URL [--path /v1/calls]
 * [--clients 64] [--batch 0] [--seconds 5]`. With `--batch` each request has so many calls. Prints as JSON what was
 * answered in the time after the first second, and how many calls there were in all.
 */
const { values } = parseArgs({
  options: {
    url: { type: 'string', default: '' },
    path: { type: 'string', default: '/v1/calls' },
    clients: { type: 'string', default: '64' },
    batch: { type: 'string', default: '0' },
    seconds: { type: 'string', default: '5' },
  },
});
const WARM_UP_MS = 1_000;
/** So that 10,000 calls are below the API's 1 MB of a body. */
const METADATA = { campaign: 'always-1' };
const batch = Number(values.batch);
const clients = Number(values.clients);
const pool = new Pool(values.url, { connections: clients, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
const countsFrom = performance.now() + WARM_UP_MS;
const until = countsFrom + Number(values.seconds) * 1000;
const times: number[] = [];
/** With those of the first second. */
let requests = 0;
/** Of what counts, from first to last: large batches are few, and end when they end. */
let firstAt = Number.POSITIVE_INFINITY;
let lastAt = 0;

await Promise.all(Array.from({ length: clients }, client));
await pool.destroy();
times.sort((a, b) => a - b);
const seconds = (lastAt - firstAt) / 1000;
const calls = times.length * Math.max(1, batch);
console.log(
  JSON.stringify({
    calls: requests * Math.max(1, batch),
    callsPerSecond: calls / seconds,
    p50: times[times.length >> 1],
    p99: times[Math.floor(times.length * 0.99)],
  }),
);

async function client(): Promise<void> {
  for (let begun = performance.now(); begun < until; begun = performance.now()) {
    await post(batch === 0 ? oneCall() : manyCalls());
    const now = performance.now();
    requests++;
    if (begun < countsFrom) continue;
    firstAt = Math.min(firstAt, begun);
    lastAt = now;
    times.push(now - begun);
  }
}

function oneCall(): string {
  return JSON.stringify({ callSid: `OUT-${randomUUID()}`, metadata: METADATA });
}

function manyCalls(): string {
  const calls = Array.from({ length: batch }, () => ({ callSid: `OUT-${randomUUID()}`, metadata: METADATA }));
  return JSON.stringify({ calls });
}

/** undici's lowest layer: what the generator takes, the one that is measured lacks. */
function post(body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart() {},
      onResponseStart(_, statusCode) {
        if (statusCode !== 200 && statusCode !== 201) throw new Error(`${values.path}: ${statusCode}`);
      },
      onResponseData() {},
      onResponseEnd: () => resolve(),
      onResponseError: (_, error) => reject(error),
    };
    const headers = { 'content-type': 'application/json' };
    pool.dispatch({ method: 'POST', path: values.path, headers, body }, handler);
  });
}
