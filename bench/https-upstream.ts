import { startWebServer, type WebServerOptions } from '../src/simulator/web-server.ts';

/** A PolyAI over https that answers each request after a while. It is told by IPC how, and tells its URL. */

export interface Told {
  tls: WebServerOptions['tls'];
  latencyMs: number;
}

const BODY = JSON.stringify({ status: 'calling', reason: '' });

process.once('message', async ({ tls, latencyMs }: Told) => {
  const server = await startWebServer({ host: '127.0.0.1', port: 0, tls }, (_request, response) => {
    setTimeout(() => {
      response.setHeader('content-type', 'application/json');
      response.setHeader('content-length', BODY.length);
      response.end(BODY);
    }, latencyMs);
  });
  process.send?.(server.url);
});
process.once('disconnect', () => process.exit(0));
