import { type Dispatcher, request } from 'undici';

export const TOKEN = 'a-token';
export const AUTHORIZED = { 'x-polyai-auth-token': TOKEN };
/** The same for the Agents API. */
export const AUTHORIZED_FOR_AGENTS = { 'x-api-key': TOKEN };

/** A GET of PolyAI, with every byte of its answer. */
export async function askPolyAi(
  dispatcher: Dispatcher,
  url: string,
  headers: Record<string, string> = AUTHORIZED,
) {
  const response = await request(url, { headers, dispatcher });
  const bytes = Buffer.from(await response.body.arrayBuffer());
  return { status: response.statusCode, headers: response.headers, bytes, text: bytes.toString('utf8') };
}

/** Has PolyAI place a call. */
export async function triggerCall(
  dispatcher: Dispatcher,
  url: string,
  body: string,
  headers: Record<string, string> = AUTHORIZED,
) {
  const response = await request(url, { method: 'POST', headers, body, dispatcher });
  return { status: response.statusCode, text: await response.body.text() };
}

export function statusPath(callSid: string): string {
  return `/v1/outbound-calling/${encodeURIComponent(callSid)}/status`;
}

/** Where the Agents API triggers calls. */
export function agentCallsPath(agentId: string): string {
  return `/v1/agents/${encodeURIComponent(agentId)}/telephony/outbound-calls`;
}

export function agentStatusPath(agentId: string, callSid: string, environment: string): string {
  return `${agentCallsPath(agentId)}/${encodeURIComponent(callSid)}/status?environment=${environment}`;
}
