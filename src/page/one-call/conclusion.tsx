import { useState } from 'preact/hooks';
import { Time } from '../parts/time.tsx';
import type { Call, Conclusion as Outcome } from '../polykeep/answers.ts';
import { ask } from '../polykeep/client.ts';
import { failureOf } from '../polykeep/failure.ts';
import { mayWrite } from '../polykeep/session.ts';
import { CONCLUSION_WORDS, OUTCOME_WORDS } from '../words/outcomes.ts';

/** What a conclusion of polykeep's own means: PolyAI did not say it, and it may be taken back. */
export function Conclusion({
  call,
  outcome,
  renew,
}: {
  call: Call;
  outcome: Outcome;
  renew: () => Promise<void>;
}) {
  const [isBusy, setBusy] = useState(false);
  const [complaint, setComplaint] = useState('');
  const { meaning, advice } = CONCLUSION_WORDS[outcome];

  async function followAgain(): Promise<void> {
    setBusy(true);
    setComplaint('');
    try {
      await ask('/v1/calls', { method: 'POST', body: { callSid: call.callSid, account: call.account } });
      await renew();
    } catch (error) {
      setComplaint(failureOf(error)?.message ?? '');
    }
    setBusy(false);
  }

  return (
    <section class="panel conclusion" aria-labelledby="conclusion">
      <h2 id="conclusion">{OUTCOME_WORDS[outcome]}: polykeep’s own conclusion, not PolyAI’s word</h2>
      <p>{meaning}</p>
      <p>{advice}</p>
      <p class="muted">
        {call.lastSeenAt === null ? (
          'PolyAI never showed it'
        ) : (
          <>
            PolyAI showed it last at <Time at={call.lastSeenAt} />
          </>
        )}
        {call.settledAt !== null && (
          <>
            ; concluded at <Time at={call.settledAt} />
          </>
        )}
        .
      </p>
      {mayWrite.value && (
        <button type="button" class="primary" disabled={isBusy} onClick={() => void followAgain()}>
          Follow again
        </button>
      )}
      <p role="alert" class="complaint">
        {complaint}
      </p>
    </section>
  );
}
