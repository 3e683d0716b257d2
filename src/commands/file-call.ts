import { ProblemError } from '../api/problems.ts';
import { readRegistration } from '../api/routes/registration.ts';
import { RegistrationBody } from '../api/schemas.ts';
import { checker } from '../api/validation.ts';

/** A call as a file has it, and as it is posted. */
export interface FileCall {
  callSid: string;
  account?: string;
  metadata?: Record<string, string>;
}

const checkBody = checker<RegistrationBody>(RegistrationBody, 'call');
/** Which accounts there are is known to the API alone. */
const ANY_ACCOUNT = { has: () => true, fallback: '' };

/** What the API would refuse about the call, with the field's name: it is held against the API's own rules. */
export function wrongIn(call: FileCall): string | null {
  if (call.callSid === '') return 'callSid: is empty';
  try {
    readRegistration(checkBody(call), ANY_ACCOUNT);
    return null;
  } catch (error) {
    if (error instanceof ProblemError) return error.message;
    throw error;
  }
}
