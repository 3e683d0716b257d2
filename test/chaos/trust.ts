import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WebServerOptions } from '../../src/simulator/web-server.ts';
import { makeCertificate } from '../support/certificate.ts';
import type { Protocol } from './plan.ts';

export interface Trust {
  tls: WebServerOptions['tls'];
  /** By which a process trusts the certificate, and takes HTTP/2 where it is offered. */
  environment: Record<'NODE_EXTRA_CA_CERTS' | 'POLYAI_HTTP2', string>;
}

/** A certificate for PolyAI where it is asked over https; null where it is not. */
export async function trustOf(protocol: Protocol, running: AsyncDisposableStack): Promise<Trust | null> {
  if (protocol === 'http') return null;
  const http2 = protocol === 'https with h2';
  const { key, cert } = await makeCertificate();
  const folder = await mkdtemp(join(tmpdir(), 'polykeep-chaos-tls-'));
  running.defer(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'ca.pem');
  await writeFile(path, cert);
  return {
    tls: { key, cert, http2 },
    environment: { NODE_EXTRA_CA_CERTS: path, POLYAI_HTTP2: `${http2}` },
  };
}
