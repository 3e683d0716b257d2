import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Answers, Peer } from './answers.ts';
import type { Delay } from './delay.ts';

/** Answers one request that came over HTTP/2. */
export function serveHttp2(
  stream: ServerHttp2Stream,
  { ':path': path = '' }: IncomingHttpHeaders,
  { answers, peer }: { answers: Answers; peer: Peer },
  delay: Delay,
): void {
  const { code, body } = answers.to(path, peer);
  stream.on('error', () => {});
  delay.put(() => {
    if (stream.destroyed) return;
    stream.respond({
      ':status': code,
      'content-type': 'application/json',
      'content-length': body.length,
      ...(code === 429 ? { 'retry-after': '1' } : {}),
    });
    stream.end(body);
  });
}
