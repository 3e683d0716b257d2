import { type Call, CONCLUSIONS, type Conclusion, type Outcome } from '../polykeep/answers.ts';

/** The four meanings that a call can have on this page: each has a colour and a shape of its own. */
export type Meaning = 'followed' | 'success' | 'failure' | 'concluded';

export function isConclusion(outcome: Outcome | 'none' | null): outcome is Conclusion {
  return CONCLUSIONS.some((conclusion) => conclusion === outcome);
}

export function meaningOf(outcome: Outcome | 'none' | null): Meaning {
  if (outcome === null || outcome === 'none') return 'followed';
  return isConclusion(outcome) ? 'concluded' : outcome;
}

export const MEANINGS: Record<Meaning, string> = {
  success: 'Success',
  failure: 'Failure',
  concluded: 'Concluded',
  followed: 'Followed',
};

export const OUTCOME_WORDS: Record<Outcome | 'none', string> = {
  success: 'Success',
  failure: 'Failure',
  lost: 'Lost',
  not_found: 'Not found',
  rejected: 'Rejected',
  abandoned: 'Abandoned',
  none: 'Still followed',
};

/** In one or two words: how the call went, or where it is. */
export function stateText({ outcome, status }: Pick<Call, 'outcome' | 'status'>): string {
  if (outcome !== null) return OUTCOME_WORDS[outcome];
  return status === null ? 'Not seen yet' : statusText(status);
}

const STATUS_WORDS: Readonly<Record<string, string>> = {
  queued: 'Queued',
  calling: 'Calling',
  ringing: 'Ringing',
  'in-progress': 'In progress',
  created: 'Created',
};

/** PolyAI may show a status that nobody has heard of: it is shown as it is. */
export function statusText(status: string): string {
  return STATUS_WORDS[status] ?? status.charAt(0).toUpperCase() + status.slice(1);
}

/** What a conclusion of polykeep's own means, and what may be done. */
export const CONCLUSION_WORDS: Record<Conclusion, { meaning: string; advice: string }> = {
  lost: {
    meaning:
      'PolyAI showed this call, and then no longer knew it. It forgets a call some two hours after its end; polykeep waited as long, and concluded that the call ended without anybody having seen how.',
    advice:
      'Nobody polled it in its last two hours: Health may say why. Following it again asks PolyAI once more.',
  },
  not_found: {
    meaning:
      'PolyAI says that it has never known a call of this id, and polykeep has never seen it. PolyAI does know other calls of this account.',
    advice:
      'See whether the callSid is right, and whether the call was placed by this account, in this region. Then follow it again.',
  },
  rejected: {
    meaning: 'PolyAI refuses this id: it is not one that it would give to a call.',
    advice: 'See where the callSid came from. Following it again asks PolyAI once more.',
  },
  abandoned: {
    meaning:
      'PolyAI still showed this call as under way when the longest time for following one was over (MAX_TRACKING_MS, a day unless set otherwise). polykeep has stopped asking.',
    advice: 'PolyAI may have left it hanging. Following it again asks for as long once more.',
  },
};
