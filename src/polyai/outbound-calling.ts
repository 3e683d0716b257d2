import {
  type ApiFlavour,
  checkCallSid,
  isObject,
  readStatus,
  readText,
  readTime,
  storableObject,
} from './observation.ts';

/**
 * PolyAI's Outbound Calling API. Both documented bodies are read: that of March 2026 has the call's id and times,
 * the one since mid 2026 has only `status` and `reason`.
 */
export function outboundCallingApi(token: string): ApiFlavour {
  const headers = { 'x-polyai-auth-token': token, accept: 'application/json' };
  return {
    statusRequest: (callSid) => ({
      path: `/v1/outbound-calling/${encodeURIComponent(callSid)}/status`,
      headers,
    }),

    observe(callSid, body) {
      const payload = storableObject(body);
      checkCallSid(payload, callSid);
      return {
        status: readStatus(payload),
        reason: readText(payload.reason),
        createdAt: readTime(payload.created_at),
        lastUpdated: readTime(payload.last_updated),
        payload,
      };
    },

    errorMessage: (body) => (isObject(body) ? (readText(body.error) ?? readText(body.message)) : null),
  };
}
