import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

/**
 * An endpoint in a process of its own (`fork`): it sends its URL, and for each `{"take": true}` what it was told since,
 * as `callSid seq` with the time of the request.
 */
const Told = Type.Object({
  data: Type.Object({ callSid: Type.String(), seq: Type.Optional(Type.Integer()) }),
});

export type Arrival = [name: string, at: number];

let arrivals: Arrival[] = [];
const server = createServer((request, response) => {
  const at = performance.timeOrigin + performance.now();
  let text = '';
  request.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  request.on('end', () => {
    const { callSid, seq } = Value.Parse(Told, JSON.parse(text)).data;
    arrivals.push([`${callSid} ${seq ?? 'end'}`, at]);
    response.writeHead(204).end();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`);
});
process.on('message', () => {
  process.send?.(arrivals);
  arrivals = [];
});
process.on('disconnect', () => process.exit());
