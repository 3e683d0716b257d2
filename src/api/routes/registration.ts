import type { Registration } from '../../call/call.ts';
import { MAX_METADATA_BYTES } from '../../call/limits.ts';
import { problem } from '../problems.ts';
import { RegistrationBody } from '../schemas.ts';

/** The accounts that are configured. */
export interface AccountNames {
  has(name: string): boolean;
  /** For calls registered without one; null where one must be named. */
  readonly fallback: string | null;
}

/**
 * What a body asks to register: the checks that its schema cannot say. Throws a `ProblemError` that names the field.
 */
export function readRegistration(body: RegistrationBody, accounts: AccountNames): Registration {
  refuseUnknownFields(body);
  const callSid = body.callSid ?? body.call_sid;
  if (callSid === undefined) throw problem.invalidField('callSid', 'is required');
  if (body.call_sid !== undefined && body.call_sid !== callSid) {
    throw problem.invalidField('call_sid', 'is not the same as callSid');
  }
  const account = body.account ?? accounts.fallback;
  if (account === null)
    throw problem.invalidField('account', 'is required: there are several, and none is named default');
  if (!accounts.has(account)) throw problem.invalidField('account', 'is not a configured account');
  const metadata = body.metadata ?? {};
  if (Buffer.byteLength(JSON.stringify(metadata)) > MAX_METADATA_BYTES) {
    throw problem.invalidField('metadata', 'is larger than 8 KB');
  }
  return { callSid, account, metadata: { ...metadata } };
}

/** PolyAI's answer to a trigger may be posted as it is, whatever else is in it; what a client makes up is a slip. */
function refuseUnknownFields(body: RegistrationBody): void {
  if (Object.hasOwn(body, 'call_sid') || Object.hasOwn(body, 'status')) return;
  const unknown = Object.keys(body).filter((field) => !Object.hasOwn(RegistrationBody.properties, field));
  if (unknown.length === 0) return;
  throw problem.invalidFields(unknown.map((field) => ({ field, detail: 'is not known' })));
}
