import { ANYBODY } from './life.ts';
import {
  decodeSegment,
  errorMessage,
  isPhoneNumber,
  type SimulatedApi,
  type TriggerRoute,
} from './simulated-api.ts';

const STATUS_PATH = /^\/v1\/outbound-calling\/([^/?]+)\/status(?:\?|$)/;

const TRIGGERS = new Map<string, TriggerRoute>([
  [
    '/v1/outbound-calling',
    {
      wanted: ({ to_number }) => (isPhoneNumber(to_number) ? { ...ANYBODY, style: 'mid-2026' } : null),
      answer: (callSid) => JSON.stringify({ call_sid: callSid }),
    },
  ],
  [
    '/v1/outbound-calling/trigger',
    {
      wanted: ({ to_number }) => (isPhoneNumber(to_number) ? { ...ANYBODY, style: 'march-2026' } : null),
      answer: (callSid) => JSON.stringify({ callSid }),
    },
  ],
]);

/** PolyAI's Outbound Calling API, as it was documented in March 2026 and as since the middle of that year. */
export const outboundCalling: SimulatedApi = {
  tokenHeader: 'x-polyai-auth-token',
  success: 'success',
  successPath: '/v1/always-success',
  errorBody: (code) => JSON.stringify({ error: errorMessage(code), code: `E${code}` }),
  bodyStyle: (placedIn) => (placedIn === 'agents' ? 'mid-2026' : placedIn),
  statusRequest(url) {
    const segment = STATUS_PATH.exec(url)?.[1];
    return segment === undefined ? null : { callSid: decodeSegment(segment), asker: ANYBODY, isValid: true };
  },
  triggerRoute: (url) => TRIGGERS.get(url) ?? null,
};
