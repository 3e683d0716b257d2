import { connect } from 'node:net';
import { callsToFollow, HEADERS, statusPath, told } from './told.ts';

/** Requests over bare sockets, the answers thrown away: a load lighter than the upstream, to see how much that takes. */
const { upstreamUrl, size } = told();
const { hostname, port } = new URL(upstreamUrl);
const callSids = await callsToFollow();
const headers = Object.entries({ host: `${hostname}:${port}`, connection: 'keep-alive', ...HEADERS });
const head = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
const requests = callSids.map((callSid) => `GET ${statusPath(callSid)} HTTP/1.1\r\n${head}\r\n`);
let next = 0;

for (let n = 0; n < size; n++) {
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  const ask = () => socket.write(requests[next++ % requests.length] ?? '', 'latin1');
  socket.on('connect', ask).on('data', ask);
}
