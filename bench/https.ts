import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { outboundCallingApi as api } from '../src/polyai/outbound-calling.ts';
import { createPolyAiClient } from '../src/polyai/polyai-client.ts';
import { type Certificate, trustedCertificate } from '../test/support/certificate.ts';
import type { Told } from './https-upstream.ts';

/**
 * What a poll costs over https, by HTTP/1.1 and by HTTP/2: `npx node bench/https.ts`. polykeep's own client asks as often
 * as it can with so many requests at a time; the server is a process of its own, and answers each after 50 ms.
 */
const AT_A_TIME = 512;
const LATENCY_MS = 50;
const WARM_UP_MS = 4_000;
const WINDOW_MS = 10_000;
const ROUNDS = 3;
const CALL_SID = 'OUT-550e8400-e29b-41d4-a716-446655440000';

const certificate = await trustedCertificate();
for (let round = 1; round <= ROUNDS; round++) {
  for (const http2 of [false, true]) {
    const { perSecond, cpu } = await measure(http2, certificate);
    const name = http2 ? 'HTTP/2  ' : 'HTTP/1.1';
    console.log(`${name} ${perSecond.toFixed(0)} polls/s, ${cpu.toFixed(1)} µs of CPU per poll`);
  }
}

async function measure(http2: boolean, { key, cert }: Certificate) {
  const server = fork(fileURLToPath(new URL('./https-upstream.ts', import.meta.url)));
  const told: Told = { tls: { key, cert, http2 }, latencyMs: LATENCY_MS };
  server.send(told);
  const [baseUrl]: string[] = await once(server, 'message');
  const client = createPolyAiClient({
    baseUrl: baseUrl ?? '',
    api,
    scope: {},
    token: 'a-token-of-some-length',
    timeoutMs: 10_000,
    allowH2: http2,
    connections: AT_A_TIME,
  });
  let polls = 0;
  let isOver = false;
  const never = new AbortController().signal;
  async function askOn(): Promise<void> {
    while (!isOver) {
      await client.getStatus(CALL_SID, never, null);
      polls++;
    }
  }
  const asking = Array.from({ length: AT_A_TIME }, askOn);
  await sleep(WARM_UP_MS);
  const [pollsBefore, cpuBefore, from] = [polls, process.cpuUsage(), performance.now()];
  await sleep(WINDOW_MS);
  const [count, { user, system }] = [polls - pollsBefore, process.cpuUsage(cpuBefore)];
  const perSecond = (count / (performance.now() - from)) * 1_000;
  isOver = true;
  await Promise.all(asking);
  await client.close();
  server.disconnect();
  return { perSecond, cpu: (user + system) / count };
}
