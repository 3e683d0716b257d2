import { parseArgs } from 'node:util';
import type { Step } from './life.ts';
import { startSimulator } from './simulator.ts';

/**
 * The simulator as a process of its own, for loads under which it should not share one with what it loads:
 * `node src/simulator/simulate.ts --port 9099 --life queued:2000,calling:5000,success`. Calls are placed over HTTP.
 * Prints one line of JSON with its url, and runs until SIGTERM or SIGINT.
 */
const { values } = parseArgs({
  options: {
    host: { type: 'string' },
    port: { type: 'string' },
    token: { type: 'string' },
    'forget-after-ms': { type: 'string' },
    life: { type: 'string' },
    'max-requests-per-second': { type: 'string' },
  },
});

const script = values.life === undefined ? undefined : steps(values.life);
const limit = values['max-requests-per-second'];
const simulator = await startSimulator({
  ...(values.host === undefined ? {} : { host: values.host }),
  ...(values.port === undefined ? {} : { port: Number(values.port) }),
  ...(values.token === undefined ? {} : { token: values.token }),
  ...(values['forget-after-ms'] === undefined ? {} : { forgetAfterMs: Number(values['forget-after-ms']) }),
  ...(script === undefined ? {} : { script: () => script }),
  ...(limit === undefined ? {} : { maxRequestsPerSecond: Number(limit) }),
  // Nobody could ask this process for them.
  keepPolls: false,
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void simulator.stop());
console.log(JSON.stringify({ url: simulator.url }));

function steps(life: string): Step[] {
  return life.split(',').map((step) => {
    const [status = '', forMs = '0'] = step.split(':');
    return { status, forMs: Number(forMs) };
  });
}
