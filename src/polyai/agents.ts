import { randomUUID } from 'node:crypto';
import type { PolyAiApi } from './api.ts';
import { isObject, readSight, readText } from './observation.ts';

const CALLS = '/v1/agents/:agentId/telephony/outbound-calls';

/** PolyAI's Agents API: a call belongs to an agent and an environment, and statuses come in capitals. */
export const agentsApi: PolyAiApi = {
  name: 'agents',
  defaultBaseUrl: 'https://api.us.poly.ai',
  tokenHeader: 'x-api-key',
  scope: { agentId: /^[^\s/?#]{1,200}$/, environment: /^(sandbox|pre-release|live)$/ },
  statusRoute: `${CALLS}/:callSid/status`,
  triggerRoutes: [CALLS],

  statusPath(callSid, { agentId = '', environment = '' }) {
    const calls = CALLS.replace(':agentId', encodeURIComponent(agentId));
    return `${calls}/${encodeURIComponent(callSid)}/status?environment=${encodeURIComponent(environment)}`;
  },
  scopeOf: ({ params, query, body }) => ({
    agentId: params.agentId,
    // In the query of a status request, in the body of a trigger.
    environment: isObject(body) ? body.environment : query.environment,
  }),

  observe: readSight,

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
