import { useState } from 'preact/hooks';
import { go } from '../address.ts';
import { Question } from '../parts/question.tsx';
import type { Call } from '../polykeep/answers.ts';
import { send } from '../polykeep/client.ts';
import { failureOf } from '../polykeep/failure.ts';
import { counted } from '../words/numbers.ts';

export function EraseButton({ call: { callSid, outcome, transitions } }: { call: Call }) {
  const [isAsking, setAsking] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [complaint, setComplaint] = useState('');

  async function erase(): Promise<void> {
    setBusy(true);
    try {
      await send(`/v1/calls/${encodeURIComponent(callSid)}`, { method: 'DELETE' });
      go('#/calls');
    } catch (error) {
      setComplaint(failureOf(error)?.message ?? '');
      setBusy(false);
    }
  }

  return (
    <>
      <button type="button" class="quiet danger-text" onClick={() => setAsking(true)}>
        Erase …
      </button>
      {isAsking && (
        <Question
          title="Erase this call?"
          yes="Erase it"
          no="Keep it"
          isBusy={isBusy}
          onYes={() => void erase()}
          onNo={() => setAsking(false)}
        >
          <p>
            <code>{callSid}</code> and its {counted(transitions.length, 'change', 'changes')} go from the
            archive for good{outcome === null && ', and it is followed no more'}. PolyAI keeps what it has.
          </p>
          <p role="alert" class="complaint">
            {complaint}
          </p>
        </Question>
      )}
    </>
  );
}
