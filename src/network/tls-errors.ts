/** What Node and OpenSSL say of a certificate. */
const NOT_TRUSTED = /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_)/;
/** What they say where the other side does not speak TLS, or none that is understood. */
const NOT_SPOKEN = /^(ERR_SSL_|EPROTO)/;

/** What is wrong with TLS, by an error's code or by what begins with it; null where it is something else. */
export function tlsTrouble(code: string): 'not trusted' | 'not spoken' | null {
  if (NOT_TRUSTED.test(code)) return 'not trusted';
  return NOT_SPOKEN.test(code) ? 'not spoken' : null;
}
