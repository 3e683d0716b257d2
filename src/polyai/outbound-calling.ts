import type { PolyAiApi } from './api.ts';
import { isObject, readSight, readText } from './observation.ts';

/**
 * PolyAI's Outbound Calling API. Both documented bodies are read: that of March 2026 has the call's id and times,
 * the one since mid 2026 has only `status` and `reason`. So are both trigger routes.
 */
export const outboundCallingApi: PolyAiApi = {
  name: 'outbound-calling',
  defaultBaseUrl: 'https://api.us-1.platform.polyai.app',
  tokenHeader: 'x-polyai-auth-token',
  scope: {},
  statusRoute: '/v1/outbound-calling/:callSid/status',
  triggerRoutes: ['/v1/outbound-calling', '/v1/outbound-calling/trigger'],

  statusPath: (callSid) => `/v1/outbound-calling/${encodeURIComponent(callSid)}/status`,
  scopeOf: () => ({}),

  observe: readSight,

  errorMessage: (body) => (isObject(body) ? (readText(body.error) ?? readText(body.message)) : null),
  errorBody: (error, code) => ({ error, code }),
};
