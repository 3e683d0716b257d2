import type { PolyAiApi } from './api.ts';
import { isObject, observe, readText } from './observation.ts';

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
  examples: {
    trigger: { to_number: '+442079460000', metadata: { campaign: 'spring' } },
    triggered: { call_sid: 'OUT-550e8400-e29b-41d4-a716-446655440000' },
    status: { status: 'failure', reason: 'call queueing: max timeout limit exceeded' },
    error: { error: 'Invalid or missing token', code: 'unauthorized' },
  },

  statusPath: (callSid) => `/v1/outbound-calling/${encodeURIComponent(callSid)}/status`,
  scopeOf: () => ({}),

  observe,

  errorMessage: (body) => (isObject(body) ? (readText(body.error) ?? readText(body.message)) : null),
  errorBody: (error, code) => ({ error, code }),
};
