import type { WebServerOptions } from '../../src/simulator/web-server.ts';
import { trustedCertificate } from './certificate.ts';

const certificate = await trustedCertificate();

/** What HTTP may be spoken over, as a server offers it and as a client is set to take it. */
export interface Protocol {
  name: string;
  tls: WebServerOptions['tls'];
  allowH2: boolean;
}

export const PROTOCOLS: readonly Protocol[] = [
  { name: 'plain HTTP/1.1', tls: undefined, allowH2: false },
  { name: 'https with HTTP/1.1', tls: { ...certificate, http2: false }, allowH2: true },
  { name: 'https with HTTP/2', tls: { ...certificate, http2: true }, allowH2: true },
];
