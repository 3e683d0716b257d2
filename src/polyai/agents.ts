import { randomUUID } from 'node:crypto';
import type { PolyAiApi } from './api.ts';
import { isObject, observe, readText } from './observation.ts';

const CALLS = '/v1/agents/:agentId/telephony/outbound-calls';

/** PolyAI's Agents API: a call belongs to an agent and an environment, and statuses come in capitals. */
export const agentsApi: PolyAiApi = {
  name: 'agents',
  defaultBaseUrl: 'https://api.us.poly.ai',
  tokenHeader: 'x-api-key',
  scope: { agentId: /^[^\s/?#]{1,200}$/, environment: /^(sandbox|pre-release|live)$/ },
  statusRoute: `${CALLS}/:callSid/status`,
  triggerRoutes: [CALLS],
  examples: {
    trigger: { toNumber: '+442079460000', environment: 'live', metadata: { campaign: 'spring' } },
    triggered: { callSid: 'OUT-550e8400-e29b-41d4-a716-446655440000', status: 'QUEUED' },
    status: { callSid: 'OUT-550e8400-e29b-41d4-a716-446655440000', status: 'SUCCESS', reason: '' },
    error: {
      success: false,
      error: 'Invalid or missing token',
      error_id: '0b6f8e1c-7d1a-4c55-9a3e-1f6f0f2f8a11',
      error_code: 'unauthorized',
      error_message: 'Invalid or missing token',
      data: null,
    },
  },

  statusPath(callSid, { agentId = '', environment = '' }) {
    const calls = CALLS.replace(':agentId', encodeURIComponent(agentId));
    return `${calls}/${encodeURIComponent(callSid)}/status?environment=${encodeURIComponent(environment)}`;
  },
  scopeOf: ({ params, query, body }) => ({
    agentId: params.agentId,
    // In the query of a status request, in the body of a trigger.
    environment: isObject(body) ? body.environment : query.environment,
  }),

  observe,

  errorMessage: (body) =>
    isObject(body)
      ? (readText(body.error_message) ?? readText(body.error) ?? readText(body.error_code))
      : null,
  errorBody: (error_message, error_code) => ({
    success: false,
    error: error_message,
    error_id: randomUUID(),
    error_code,
    error_message,
    data: null,
  }),
};
