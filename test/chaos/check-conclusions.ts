import { CONCLUSIONS } from '../../src/call/call.ts';
import type { CallEvidence, ConclusionSample, Evidence } from './evidence.ts';
import type { Violation } from './violation.ts';

/** polykeep may conclude only of a call that PolyAI has forgotten, also where it takes the conclusion back later. */
export function checkConclusions({ calls, conclusions }: Evidence): Violation[] {
  const seen = Map.groupBy(conclusions, ({ callSid }) => callSid);
  return calls.flatMap((call) => {
    const wrong = [...(seen.get(call.callSid) ?? []), ...atTheEnd(call)].find((one) => !isRight(one, call));
    if (wrong === undefined) return [];
    const detail = `${wrong.outcome} at ${new Date(wrong.at).toISOString()}, while PolyAI knew it`;
    return [{ kind: 'wrongly concluded', callSid: call.callSid, detail }];
  });
}

function isRight({ at }: ConclusionSample, { forgottenAt }: CallEvidence): boolean {
  return forgottenAt !== null && at >= forgottenAt;
}

function atTheEnd({ callSid, archived }: CallEvidence): ConclusionSample[] {
  if (archived === null || archived.settledAt === null || !isConclusion(archived.outcome)) return [];
  return [{ callSid, outcome: archived.outcome, at: Date.parse(archived.settledAt) }];
}

export function isConclusion(outcome: string | null): outcome is (typeof CONCLUSIONS)[number] {
  return CONCLUSIONS.some((one) => one === outcome);
}
