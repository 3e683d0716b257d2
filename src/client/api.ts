import createFetchClient, { type Client } from 'openapi-fetch';
import type { paths } from './types.ts';

/** The routes of polykeep, typed by openapi.json: `api.GET('/v1/calls', { params: { query: { outcome: 'lost' } } })`. */
export type Api = Client<paths, 'application/json' | 'application/problem+json'>;

export interface ApiOptions {
  /** Of a running polykeep. */
  url?: string;
  /** One of its `API_KEYS`; `write` to register calls, `read` for the rest. */
  apiKey?: string;
}

export function createApi({ url = 'http://127.0.0.1:8080', apiKey }: ApiOptions): Api {
  return createFetchClient({
    baseUrl: url,
    querySerializer,
    ...(apiKey === undefined ? {} : { headers: { authorization: `Bearer ${apiKey}` } }),
  });
}

/** Metadata is asked for as `metadata.KEY=VALUE`, with any key. */
function querySerializer(query: Record<string, unknown>): string {
  const fields = Object.entries(query).flatMap(([name, value]): [string, unknown][] =>
    name === 'metadata' && typeof value === 'object' && value !== null
      ? Object.entries(value).map(([key, wanted]) => [`metadata.${key}`, wanted])
      : [[name, value]],
  );
  const given = fields.filter(([, value]) => value !== undefined && value !== null);
  return new URLSearchParams(given.map(([name, value]): [string, string] => [name, `${value}`])).toString();
}

/** What ends a request: the caller, or the time that it may take. */
export function endOf(signal: AbortSignal | undefined, ms: number): AbortSignal {
  const timeout = AbortSignal.timeout(ms);
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}
