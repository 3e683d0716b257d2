import { type Finding, unwell, well } from '../network/finding.ts';
import { NO_PROXIES, type ProxySettings, proxyFor } from '../network/proxies.ts';
import { tlsTrouble } from '../network/tls-errors.ts';
import { createPolyAiClient } from '../polyai/polyai-client.ts';
import { PolyAiError } from '../polyai/polyai-error.ts';
import type { AccountSettings } from './accounts.ts';

/** PolyAI's ids are random UUIDs of version 4, which this one is not: no call ever has it. */
export const NO_CALL = '00000000-0000-0000-0000-000000000000';

interface AccountCheckOptions {
  timeoutMs: number;
  http2?: boolean;
  proxies?: ProxySettings;
  /** Breaks the request off. */
  signal?: AbortSignal;
}

const OF_DNS = /^(ENOTFOUND|EAI_)/;
const URL_RIGHT = 'is POLYAI_BASE_URL (in ACCOUNTS_FILE: baseUrl) right?';
const TOKEN_RIGHT = 'are the token, and the region of the URL, those of the account?';

/**
 * Whether PolyAI is there and takes the account's token: asks once for a call that cannot exist. PolyAI denies that one
 * in its own words; whatever else answers is no PolyAI. Rejects where it was broken off.
 */
export async function checkAccount(
  settings: AccountSettings,
  { timeoutMs, http2 = false, proxies = NO_PROXIES, signal }: AccountCheckOptions,
): Promise<Finding> {
  const { name, baseUrl, api, scope, token } = settings;
  const proxy = proxyFor(baseUrl, proxies);
  const client = createPolyAiClient({
    ...{ baseUrl, api, scope, token, timeoutMs, proxy },
    allowH2: http2,
    connections: 1,
  });
  const whose = `account ${name}: ${new URL(baseUrl).host}`;
  const breakOff = () => void client.destroy();
  signal?.addEventListener('abort', breakOff, { once: true });
  try {
    const { answer, result } = await client.askStatus(NO_CALL);
    return read(whose, answer.statusCode, result instanceof PolyAiError ? result : null);
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof PolyAiError)) throw error;
    return unwell(`${whose}: ${wayWords(error.message)}`);
  } finally {
    signal?.removeEventListener('abort', breakOff);
    await client.destroy();
  }
}

/** `error` is null where the answer is the status of a call. */
function read(whose: string, statusCode: number, error: PolyAiError | null): Finding {
  switch (error?.code) {
    case 'not_found':
      return well(`${whose} takes the token`);
    case 'rejected':
      return well(`${whose} takes the token, and no id of all zeros (${error.message})`);
    case 'unauthorized':
      return unwell(`${whose} refuses the token (${error.message}): ${TOKEN_RIGHT}`);
    case 'too_many':
      return unwell(`${whose} takes no more requests for now (${error.message}): check again in a minute`);
  }
  if (statusCode >= 500) {
    return unwell(
      `${whose} has no answer now (HTTP ${statusCode}, of PolyAI or a gateway): check again later`,
    );
  }
  return unwell(`${whose} answers HTTP ${statusCode} as PolyAI does not: ${URL_RIGHT}`);
}

/** What is wrong with the way there, by the code that the message begins with. */
function wayWords(message: string): string {
  if (OF_DNS.test(message)) return `its name leads nowhere (${message}): ${URL_RIGHT}`;
  switch (tlsTrouble(message)) {
    case 'not trusted':
      return `its certificate is not trusted (${message}): NODE_EXTRA_CA_CERTS adds the authority of a company`;
    case 'not spoken':
      // After its code OpenSSL tells a line of its own source.
      return `does not speak TLS (${message.split(':')[0]}): ${URL_RIGHT}`;
  }
  return `cannot be reached (${message}): ${URL_RIGHT} Is there a firewall, or need of HTTPS_PROXY?`;
}
