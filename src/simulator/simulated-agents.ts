import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { ENVIRONMENTS, type Environment } from './life.ts';
import { decodeSegment, errorMessage, isPhoneNumber, type SimulatedApi } from './simulated-api.ts';

const CALLS_PATH = '^/v1/agents/([^/?]+)/telephony/outbound-calls';
const TRIGGER_PATH = new RegExp(`${CALLS_PATH}$`);
const STATUS_PATH = new RegExp(String.raw`${CALLS_PATH}/([^/?]+)/status(?:\?(.*))?$`);

/** PolyAI's Agents API. */
export const agents: SimulatedApi = {
  tokenHeader: 'x-api-key',
  success: 'SUCCESS',
  successPath: '/v1/agents/always-success',
  errorBody(code) {
    const error = STATUS_CODES[code] ?? 'Error';
    return JSON.stringify({
      success: false,
      error,
      error_id: randomUUID(),
      error_code: error.toUpperCase().replaceAll(/\W+/g, '_'),
      error_message: errorMessage(code),
      data: null,
    });
  },
  bodyStyle: () => 'agents',
  statusRequest(url) {
    const [, agent, call, query = ''] = STATUS_PATH.exec(url) ?? [];
    if (agent === undefined || call === undefined) return null;
    const agentId = decodeSegment(agent);
    const environment = environmentOf(new URLSearchParams(query).get('environment'));
    const isValid = agentId !== null && environment !== null;
    return { callSid: decodeSegment(call), asker: { agentId, environment }, isValid };
  },
  triggerRoute(url) {
    const agent = TRIGGER_PATH.exec(url)?.[1];
    if (agent === undefined) return null;
    return {
      wanted(fields) {
        const agentId = decodeSegment(agent);
        const environment = environmentOf(fields.environment);
        if (agentId === null || environment === null || !isPhoneNumber(fields.toNumber)) return null;
        return { agentId, environment, style: 'agents' };
      },
      // Documented so: every call begins queued, whatever becomes of it.
      answer: (callSid) => JSON.stringify({ callSid, status: 'QUEUED' }),
    };
  },
};

function environmentOf(value: unknown): Environment | null {
  return ENVIRONMENTS.find((environment) => environment === value) ?? null;
}
