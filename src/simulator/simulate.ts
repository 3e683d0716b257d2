import { parseArgs } from 'node:util';
import { codeOf } from '../words.ts';
import { ENDINGS, endingOfCallSid, endingOfNumber } from './endings.ts';
import type { Step } from './life.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from './simulator.ts';

const OPTIONS = {
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '9099' },
  token: { type: 'string' },
  'forget-after-ms': { type: 'string' },
  life: { type: 'string' },
  'max-requests-per-second': { type: 'string' },
} as const;

/**
 * `polykeep simulate`: a PolyAI to try polykeep with, whose calls end as their callSids or numbers say; with
 * `--life queued:2000,calling:5000,success` all that are placed end so. It has started when this returns, and runs until
 * SIGTERM or SIGINT. Throws an `Error` of one plain line.
 */
export async function simulate(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: OPTIONS });
  const { host, token } = values;
  const script = values.life === undefined ? null : steps(values.life);
  const forgetAfterMs = numberOf('forget-after-ms', values);
  const maxRequestsPerSecond = numberOf('max-requests-per-second', values);
  const simulator = await startOrSayWhy({
    host,
    port: numberOf('port', values) ?? 0,
    placed: (fields) => (script === null ? (endingOfNumber(fields).life ?? {}) : { script }),
    firstAsked: (callSid) => endingOfCallSid(callSid)?.life ?? null,
    isInvalid: (callSid) => endingOfCallSid(callSid)?.life === null,
    // The one with reasons.
    style: 'mid-2026',
    ...(token === undefined ? {} : { token }),
    ...(forgetAfterMs === null ? {} : { forgetAfterMs }),
    ...(maxRequestsPerSecond === null ? {} : { maxRequestsPerSecond }),
    // Nobody could ask this process for them.
    keepPolls: false,
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void simulator.stop());
  console.log(introduction(simulator.url, token ?? 'any'));
}

async function startOrSayWhy(options: SimulatorOptions): Promise<Simulator> {
  try {
    return await startSimulator(options);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const isTaken = codeOf(error) === 'EADDRINUSE';
    const why = isTaken ? `port ${options.port} is taken: give another by --port` : error.message;
    throw new Error(`the simulator does not start: ${why}`, { cause: error });
  }
}

function numberOf(
  name: 'port' | 'forget-after-ms' | 'max-requests-per-second',
  values: { [option in typeof name]?: string | undefined },
): number | null {
  const text = values[name];
  if (text === undefined) return null;
  const number = Number(text);
  if (text.trim() === '' || !(number >= 0)) throw new Error(`--${name}: must be a number`);
  return number;
}

function steps(life: string): Step[] {
  return life.split(',').map((step) => {
    const [status = '', forMs = '0'] = step.split(':');
    if (status === '' || !(Number(forMs) >= 0))
      throw new Error('--life: must be STATUS:MILLISECONDS,…,STATUS, as queued:2000,calling:5000,success');
    return { status, forMs: Number(forMs) };
  });
}

/** Its first line has the url. */
function introduction(url: string, token: string): string {
  const bySid = ENDINGS.map(({ name, told }) => `  ${`${name}-…`.padEnd(12)} ${told}`);
  const byNumber = ENDINGS.flatMap(({ name, digits }) => (digits === null ? [] : [`…${digits} ${name}`]));
  return `A simulated PolyAI listens at ${url} until Ctrl-C. To have its calls followed:

  POLYAI_BASE_URL=${url} POLYAI_AUTH_TOKEN=${token} npx polykeep serve

A callSid that begins with one of these words is a call, from when it is first asked for; all others are unknown: 404.

${bySid.join('\n')}

  curl -X POST http://127.0.0.1:8080/v1/calls -H 'content-type: application/json' -d '{"callSid":"no-answer-1"}'

To place one, through polykeep or here (${url}); the last digits of the number say how it ends,
${byNumber.join(', ')}, and any others well:

  curl -X POST http://127.0.0.1:8080/v1/outbound-calling -H 'X-PolyAi-Auth-Token: ${token}' \\
       -H 'content-type: application/json' -d '{"to_number":"+15550000001"}'`;
}
