import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCertificate } from '../../test/support/certificate.ts';
import type { Bench } from '../bench.ts';
import { startUpstream, type Upstream } from './upstream.ts';

export type Protocol = 'http' | 'https h1' | 'https h2';

/** An upstream, and what whoever asks it must know. */
export interface Way {
  protocol: Protocol;
  latencyMs: number;
  upstream: Upstream;
  /** Of the certificate to trust, a PEM; empty where there is none. */
  caFile: string;
}

/** Plain HTTP/1.1 that answers at once: the upstream that the parts share. */
export async function plainWay(bench: Bench): Promise<Way> {
  return { protocol: 'http', latencyMs: 0, upstream: await bench.upstream(), caFile: '' };
}

/** Starts an upstream of its own, which is stopped with the bench, or before. */
export async function openWay(bench: Bench, protocol: Protocol, latencyMs: number): Promise<Way> {
  if (protocol === 'http')
    return { protocol, latencyMs, caFile: '', upstream: await started(bench, null, latencyMs) };
  const { key, cert } = await makeCertificate();
  const caFile = join(bench.folder, `${randomUUID()}.pem`);
  await writeFile(caFile, cert);
  const tls = { key, cert, http2: protocol === 'https h2' };
  return { protocol, latencyMs, caFile, upstream: await started(bench, tls, latencyMs) };
}

async function started(
  bench: Bench,
  tls: Parameters<typeof startUpstream>[0]['tls'],
  latencyMs: number,
): Promise<Upstream> {
  const upstream = await startUpstream({ tls, latencyMs });
  bench.defer(() => upstream.stop());
  return upstream;
}

/** For a process of Node that is to trust it. */
export function trustOf({ caFile }: Way): Record<string, string> {
  return caFile === '' ? {} : { NODE_EXTRA_CA_CERTS: caFile };
}

/** For a polykeep that asks it. */
export function environmentOf(way: Way): Record<string, string> {
  return {
    POLYAI_AUTH_TOKEN: 'a-token-of-some-length',
    POLYAI_BASE_URL: way.upstream.url,
    ...(way.protocol === 'https h2' ? { POLYAI_HTTP2: 'true' } : {}),
    ...trustOf(way),
  };
}

/** So many requests at a time, over as many connections as the protocol needs: 64 over each of HTTP/2. */
export function connectionsFor({ protocol }: Way, atOnce: number): { connections: number; streams: number } {
  if (protocol !== 'https h2') return { connections: atOnce, streams: 1 };
  const connections = Math.ceil(atOnce / 64);
  return { connections, streams: Math.ceil(atOnce / connections) };
}
