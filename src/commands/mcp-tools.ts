import { type CallToolResult, fromJsonSchema, McpServer } from '@modelcontextprotocol/server';
import { type Static, type TObject, Type } from 'typebox';
import { endOf } from '../client/api.ts';
import type { PolykeepClient } from '../client/client.ts';
import { VERSION } from './version.ts';

const INSTRUCTIONS =
  'polykeep follows the outbound calls of PolyAI and keeps every change of their status. ' +
  'An outcome is success or failure as PolyAI showed it, or a conclusion of polykeep: not_found, lost, rejected, abandoned. ' +
  'Times are UTC, in ISO 8601. Nothing can be changed from here.';

/** polykeep answers each request within 45 s; one that is frozen does not, and an assistant is to hear of it. */
const ANSWER_WITHIN_MS = 60_000;

/** Plain, since not every assistant understands the patterns of the API: what is wrong with a value polykeep says. */
const text = (description: string) => Type.Optional(Type.String({ description }));
const SCOPE = {
  account: text('Only calls of this PolyAI account.'),
  registeredFrom: text('Only calls that were registered then or later, as 2026-11-24T00:00:00Z.'),
  registeredTo: text('Only calls that were registered before then.'),
  metadata: Type.Optional(
    Type.Record(Type.String(), Type.String(), {
      description: 'Only calls whose metadata has these values, as {"campaign": "reminders"}.',
    }),
  ),
};
const OUTCOMES = ['success', 'failure', 'not_found', 'lost', 'rejected', 'abandoned', 'none'] as const;
const BUCKETS = ['hour', 'day', 'week', 'month'] as const;

const OneCall = Type.Object({ callSid: Type.String({ description: 'The id that PolyAI gave the call.' }) });
const Filters = Type.Object({
  ...SCOPE,
  status: text('Only calls whose last status is this, as queued or calling.'),
  outcome: Type.Optional(
    Type.Enum([...OUTCOMES], { type: 'string', description: 'How they ended; none: still followed.' }),
  ),
  settledFrom: text('Only calls that ended then or later.'),
  settledTo: text('Only calls that ended before then.'),
  reason: text('Only calls whose last reason is exactly this, as "no answer".'),
  callSidPrefix: text('Only calls whose callSid begins so.'),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'How many: 20 unless given.' })),
  cursor: text('The nextCursor of the page before.'),
});
const Statistics = Type.Object({
  ...SCOPE,
  bucket: Type.Optional(Type.Enum([...BUCKETS], { type: 'string', description: 'day unless given.' })),
  timezone: text('Where days begin: an IANA name, as Europe/London; UTC unless given.'),
  groupBy: text('Apart for each account, each reason, or each value of metadata.KEY.'),
});

/** What an assistant may ask of a polykeep: to read, and no more. */
export function createMcpServer(polykeep: PolykeepClient, answerWithinMs = ANSWER_WITHIN_MS): McpServer {
  const server = new McpServer({ name: 'polykeep', version: VERSION }, { instructions: INSTRUCTIONS });

  /** What the function answers becomes text; what polykeep refuses, or that it is away, is an error to the assistant. */
  function tool<Input extends TObject>(
    name: string,
    description: string,
    input: Input,
    ask: (input: Static<Input>, signal: AbortSignal) => Promise<Answer>,
  ): void {
    const inputSchema = fromJsonSchema<Static<Input>>({ ...input, type: 'object' });
    const annotations = { readOnlyHint: true, openWorldHint: false };
    server.registerTool(name, { description, inputSchema, annotations }, (given) =>
      resultOf(() => ask(given, endOf(undefined, answerWithinMs))),
    );
  }

  tool('find_call', 'One call with every status that it had, and when.', OneCall, ({ callSid }, signal) =>
    polykeep.GET('/v1/calls/{callSid}', { params: { path: { callSid } }, signal }),
  );
  tool(
    'list_calls',
    'Calls, the newest first, by any filters; nextCursor leads to the next page, and is null on the last one.',
    Filters,
    ({ limit = 20, ...filters }, signal) =>
      polykeep.GET('/v1/calls', { params: { query: { ...filters, limit } }, signal }),
  );
  tool(
    'call_statistics',
    'How calls went: their numbers by outcome, the success rate and the seconds that they waited and rang, for each part of a time (of the last 30 days unless given).',
    Statistics,
    (query, signal) => polykeep.GET('/v1/stats', { params: { query }, signal }),
  );
  tool(
    'health',
    'How polykeep is now, and what is wrong with it: its archive, queue, workers, and each account with PolyAI.',
    Type.Object({}),
    (_, signal) => polykeep.GET('/v1/health', { signal }),
  );
  return server;
}

/** Of openapi-fetch. */
interface Answer {
  data?: unknown;
  error?: unknown;
  response: Response;
}

async function resultOf(ask: () => Promise<Answer>): Promise<CallToolResult> {
  try {
    const { data, error, response } = await ask();
    if (data !== undefined) return told(data);
    return { ...told(error ?? `polykeep answers ${response.status}`), isError: true };
  } catch (error) {
    const { message, cause } = error instanceof Error ? error : new Error(String(error));
    const why = cause instanceof Error ? `: ${cause.message || cause.name}` : '';
    return { ...told(`polykeep cannot be asked: ${message}${why}`), isError: true };
  }
}

function told(value: unknown): CallToolResult {
  return { content: [{ type: 'text', text: typeof value === 'string' ? value : JSON.stringify(value) }] };
}
