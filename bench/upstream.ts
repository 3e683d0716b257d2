import { createServer, type Socket } from 'node:net';
import { statusOf } from './lives.ts';

/**
 * A PolyAI light enough not to be what is measured: no HTTP parser, no journal, three answers made beforehand. It
 * answers status requests for the calls of `lives.ts`, and counts them. Its parent asks it by IPC.
 */

export interface Report {
  /** Polls since the last report. */
  polls: number;
  /** By milliseconds, how many polls came so long after the call's last one: only where `intervals` was asked for. */
  intervals: [ms: number, polls: number][];
}

export type Command = { kind: 'report' } | { kind: 'intervals'; on: boolean };

const PATH = '/v1/outbound-calling/';
const END = '/status ';
const ANSWERS = new Map(
  ['queued', 'calling', 'success'].map((status) => [status, answer(JSON.stringify({ status, reason: '' }))]),
);
const LONGEST_MS = 120_000;

let polls = 0;
let asked: Map<string, number> | null = null;
const intervals = new Uint32Array(LONGEST_MS + 1);

function answer(body: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

function serve(socket: Socket): void {
  socket.setNoDelay(true);
  let rest = '';
  socket.on('data', (chunk) => {
    rest += chunk.toString('latin1');
    let answers = '';
    for (let end = rest.indexOf('\r\n\r\n'); end !== -1; end = rest.indexOf('\r\n\r\n')) {
      answers += answerTo(rest);
      rest = rest.slice(end + 4);
    }
    if (answers !== '') socket.write(answers, 'latin1');
  });
  socket.on('error', () => socket.destroy());
}

/** No request has a body. */
function answerTo(request: string): string {
  const from = request.indexOf(PATH) + PATH.length;
  const callSid = request.slice(from, request.indexOf(END, from));
  const now = Date.now();
  polls++;
  if (asked !== null) measure(asked, callSid, now);
  return ANSWERS.get(statusOf(callSid, now)) ?? '';
}

function measure(asked: Map<string, number>, callSid: string, now: number): void {
  const last = asked.get(callSid);
  asked.set(callSid, now);
  if (last === undefined) return;
  const ms = Math.min(LONGEST_MS, Math.max(0, now - last));
  intervals[ms] = (intervals[ms] ?? 0) + 1;
}

function report(): Report {
  const seen: Report = { polls, intervals: [] };
  for (const [ms, count] of intervals.entries()) if (count > 0) seen.intervals.push([ms, count]);
  polls = 0;
  intervals.fill(0);
  return seen;
}

process.on('message', (command: Command) => {
  if (command.kind === 'intervals') asked = command.on ? new Map() : null;
  process.send?.(report());
});
process.on('disconnect', () => process.exit(0));

const server = createServer({ noDelay: true }, serve).listen(
  { host: '127.0.0.1', port: 0, backlog: 4096 },
  () => {
    const address = server.address();
    if (typeof address === 'object' && address !== null) process.send?.({ port: address.port });
  },
);
