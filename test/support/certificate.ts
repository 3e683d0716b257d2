import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { generate } from 'selfsigned';

/** Of a server at 127.0.0.1. It is its own authority. */
export interface Certificate {
  key: string;
  cert: string;
}

/** Makes a certificate, which whoever is to trust it must be told of. */
export async function makeCertificate(): Promise<Certificate> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'PolyAI simulated' }], {
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  });
  return { key, cert };
}

/** A certificate that this process trusts. Another one trusts it by `NODE_EXTRA_CA_CERTS`, the path of its PEM. */
export async function trustedCertificate(): Promise<Certificate> {
  const certificate = await makeCertificate();
  setDefaultCACertificates([...getCACertificates('default'), certificate.cert]);
  return certificate;
}
