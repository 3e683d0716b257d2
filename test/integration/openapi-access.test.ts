import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readApiKeys } from '../../src/api/door/api-keys.ts';
import { EXAMPLE_CALL_SID as CALL_SID } from '../../src/api/examples.ts';
import { AGENT, type DropInServer, startDropInServer } from '../support/drop-in-server.ts';
import { openapiText } from '../support/openapi.ts';
import { type Operation, readDocument } from '../support/openapi-document.ts';
import { TOKEN } from '../support/polyai-requests.ts';
import { storeWebhook } from '../support/webhooks.ts';

const READ = 'the-key-that-may-read';
const WRITE = 'the-key-that-may-write';
const CALLERS = {
  'no key': {},
  'wrong key': { authorization: 'Bearer a-key-that-is-none' },
  'read key': { authorization: `Bearer ${READ}` },
  'write key': { authorization: `Bearer ${WRITE}` },
  'PolyAI token': { 'x-polyai-auth-token': TOKEN, 'x-api-key': TOKEN },
};
type Caller = keyof typeof CALLERS;

const { operations } = readDocument(await openapiText());
const dispatcher = new Agent();
const table: Record<string, unknown>[] = [];
let server: DropInServer;

beforeAll(async () => {
  server = await startDropInServer(readApiKeys(`bi:read:${READ},web:write:${WRITE}`, []));
  server.polyai.place({ callSid: CALL_SID });
  server.polyai.place({ callSid: CALL_SID, ...AGENT });
});

afterAll(async () => {
  await dispatcher.close();
  await server.stop();
  if (process.env.PRINT_ACCESS) console.table(table);
});

describe.each(operations)('$method $path', (operation) => {
  it('lets in whom the document says, and nobody else', async () => {
    const row: Record<string, unknown> = { route: `${operation.method} ${operation.path}` };
    for (const caller of callers) {
      await server.api.registrar.register({ callSid: CALL_SID, account: 'default', metadata: {} });
      const answer = await ask(operation, CALLERS[caller], await storeWebhook(server.database));
      row[caller] = answer.status;
      expect(answer.status, caller).toBe(expected(operation, caller));
      if (answer.status === 401 && !isDropIn(operation)) expect(answer.challenge).toBe('Bearer');
      expect(Object.keys(operation.responses)).toContain(String(answer.status));
    }
    table.push(row);
  });
});

it('no more than the probes and, to this machine, the metrics is open without a key', () => {
  const open = operations.filter(isOpen).map(({ path }) => path);
  expect(open).toEqual(['/health/live', '/health/ready', '/metrics']);
});

it('the document itself is open, and so is the page that shows it', async () => {
  for (const path of ['/openapi.json', '/docs', '/docs/json', '/docs/static/swagger-ui-bundle.js']) {
    const { statusCode, body } = await request(server.url + path, { dispatcher });
    await body.dump();
    expect(statusCode, path).toBe(200);
  }
});

const callers: Caller[] = ['no key', 'wrong key', 'read key', 'write key', 'PolyAI token'];

function expected(operation: Operation, caller: Caller): number {
  const success = Number(Object.keys(operation.responses).find((status) => status.startsWith('2')));
  if (isOpen(operation)) return success;
  if (caller === 'PolyAI token') return isDropIn(operation) ? success : 401;
  if (caller === 'no key' || caller === 'wrong key') return 401;
  return caller === 'read key' && operation.method !== 'GET' ? 403 : success;
}

/** To all, or as metrics to callers on this machine. */
function isOpen({ security }: Operation): boolean {
  if (security === undefined) return false;
  return security.length === 0 || security.some((needed) => Object.keys(needed).length === 0);
}

function isDropIn({ security = [] }: Operation): boolean {
  return security.some((needed) => Object.keys(needed).some((name) => name !== 'apiKey'));
}

async function ask(
  { method, path, parameters, body }: Operation,
  headers: Record<string, string>,
  webhook: Record<string, string>,
) {
  const values: Record<string, string> = { callSid: CALL_SID, ...AGENT, ...webhook };
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''));
  const query = parameters
    .filter((parameter) => parameter.in === 'query' && parameter.required)
    .map(({ name }) => `${name}=${values[name]}`);
  const response = await request(`${server.url}${filled}?${query.join('&')}`, {
    method,
    dispatcher,
    headers: { ...headers, ...(body === null ? {} : { 'content-type': 'application/json' }) },
    body: body === null ? null : JSON.stringify(body.example),
  });
  await response.body.dump();
  return { status: response.statusCode, challenge: response.headers['www-authenticate'] };
}
