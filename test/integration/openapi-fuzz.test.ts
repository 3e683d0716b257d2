import fc from 'fast-check';
import { Pool } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXAMPLE_CALL_SID } from '../../src/api/examples.ts';
import { AGENT, type DropInServer, startDropInServer } from '../support/drop-in-server.ts';
import { type FuzzRequest, requestsFor } from '../support/fuzz-requests.ts';
import { openapiText } from '../support/openapi.ts';
import { type Operation, readDocument } from '../support/openapi-document.ts';
import { TOKEN } from '../support/polyai-requests.ts';
import { type StoredWebhook, storeWebhook } from '../support/webhooks.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 200);
/** Far longer than any request here takes: who has no answer by then gets none. */
const HANGS_AFTER_MS = 20_000;

const KNOWN = [EXAMPLE_CALL_SID, 'a:b', '-_.:~', '...', '__proto__'];
const registrations = KNOWN.map((callSid) => ({ callSid, account: 'default', metadata: {} }));
const document = readDocument(await openapiText());
/** How often each operation answered with each status. */
const counts = new Map<string, Map<number, number>>();
let server: DropInServer;
let pool: Pool;
let webhook: StoredWebhook;

beforeAll(async () => {
  server = await startDropInServer();
  await server.api.registrar.registerAll(registrations);
  for (const callSid of KNOWN) server.polyai.place({ callSid });
  server.polyai.place({ callSid: 'of-the-agent', ...AGENT });
  webhook = await storeWebhook(server.database);
  pool = new Pool(server.url, { headersTimeout: HANGS_AFTER_MS, bodyTimeout: HANGS_AFTER_MS });
});

afterAll(async () => {
  await pool.close();
  await server.stop();
  if (process.env.FUZZ_RUNS) console.log(counts);
});

describe.each(document.operations)('$method $path', (operation) => {
  it('answers whatever it is asked as its document says', { timeout: RUNS * 2_000 }, async () => {
    const requests = requestsFor(operation, {
      document,
      headers: { 'x-polyai-auth-token': TOKEN, 'x-api-key': TOKEN },
      known: {
        callSid: [...KNOWN, 'of-the-agent', 'OUT-unknown'],
        agentId: [AGENT.agentId],
        environment: [AGENT.environment],
        wait: ['0'],
        timezone: ['UTC', 'Europe/London', 'Asia/Kathmandu'],
        groupBy: ['account', 'metadata.campaign', 'metadata.é'],
        account: ['default', 'agent', 'nobody'],
        id: [webhook.id, 'wh_unknown'],
        deliveryId: [webhook.deliveryId, '1'],
        // Where nobody listens.
        url: ['http://127.0.0.1:1/hook', 'https://192.168.0.1/', 'http://user:pass@localhost/#x'],
      },
    });
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        // What is erased is there again for the next.
        if (operation.method === 'DELETE') await restore();
        expect(problemWith(operation, await ask(request))).toBeNull();
      }),
      { numRuns: RUNS },
    );
  });
});

async function restore(): Promise<void> {
  await server.api.registrar.registerAll(registrations);
  await server.database.query('update polykeep_internal.webhooks set deleted_at = null');
}

interface Answer {
  status: number;
  type: string;
  text: string;
}

async function ask({ method, path, headers, body }: FuzzRequest): Promise<Answer> {
  const response = await pool.request({ method, path, headers, body });
  return {
    status: response.statusCode,
    type: `${response.headers['content-type'] ?? ''}`.split(';')[0] ?? '',
    text: await response.body.text(),
  };
}

function count(operationId: string, status: number): void {
  const ofOperation = counts.get(operationId) ?? new Map<number, number>();
  counts.set(operationId, ofOperation.set(status, (ofOperation.get(status) ?? 0) + 1));
}

/** What an answer has that the document does not say; null where all is well. */
function problemWith({ operationId, responses }: Operation, { status, type, text }: Answer): string | null {
  count(operationId, status);
  // Some of what is made up leads to another route, or to none.
  if (status === 404 && text.includes('"route_not_found"')) return null;
  const what = `${status} ${type} ${text.slice(0, 500)}`;
  if (status >= 500) return `a fault of the server: ${what}`;
  const documented = responses[status];
  if (documented === undefined) return `not documented: ${what}`;
  if (documented.content === undefined) return text === '' ? null : `has a body: ${what}`;
  const content = documented.content[type];
  if (content === undefined) return `of another type: ${what}`;
  const misfit = document.misfit(
    content.schema,
    type.endsWith('json') && type !== 'application/x-ndjson' ? JSON.parse(text) : text,
  );
  return misfit === null ? null : `${misfit}: ${what}`;
}
