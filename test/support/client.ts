import { Value } from 'typebox/value';
import { request } from 'undici';
import { CallJson, PageJson } from '../../src/api/schemas.ts';

/** The API as a client of it sees it. */
export function client(url: string) {
  async function post(path: string, body: unknown): Promise<{ status: number; body: unknown }> {
    const response = await request(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.statusCode, body: await response.body.json() };
  }

  async function get(path: string): Promise<unknown> {
    const response = await request(`${url}${path}`);
    return response.body.json();
  }

  return {
    post,
    get,
    register: (callSid: string) => post('/v1/calls', { callSid }),
    call: async (callSid: string) =>
      Value.Parse(CallJson, await get(`/v1/calls/${encodeURIComponent(callSid)}`)),
    /** Every call that fits, over all pages. */
    async list(filters = ''): Promise<CallJson[]> {
      const found: CallJson[] = [];
      let cursor: string | null = null;
      do {
        const at: string = cursor === null ? '' : `&cursor=${cursor}`;
        const page = Value.Parse(PageJson, await get(`/v1/calls?limit=1000&${filters}${at}`));
        found.push(...page.data);
        cursor = page.nextCursor;
      } while (cursor !== null);
      return found;
    },
  };
}
