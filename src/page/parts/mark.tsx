import type { Call } from '../polykeep/answers.ts';
import { type Meaning, meaningOf, stateText } from '../words/outcomes.ts';

/** A shape of its own for each meaning, so that nobody needs to tell colours apart. */
export function Mark({ meaning }: { meaning: Meaning }) {
  return (
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" class={`mark ${meaning}`}>
      {SHAPES[meaning]}
    </svg>
  );
}

const SHAPES: Record<Meaning, preact.JSX.Element> = {
  followed: (
    <>
      <circle cx="8" cy="8" r="6" class="line" />
      <circle cx="8" cy="8" r="2.5" class="fill beat" />
    </>
  ),
  success: (
    <>
      <circle cx="8" cy="8" r="7" class="fill" />
      <path d="m4.8 8.2 2.2 2.3 4.2-4.8" class="cut" />
    </>
  ),
  failure: (
    <>
      <rect x="1.5" y="1.5" width="13" height="13" rx="2" class="fill" />
      <path d="m5 5 6 6m0-6-6 6" class="cut" />
    </>
  ),
  concluded: (
    <>
      <path d="M8 .8 15.2 8 8 15.2.8 8Z" class="fill" />
      <path d="M4.9 8h.01M8 8h.01m3.08 0h.01" class="cut" />
    </>
  ),
};

export function State({ call }: { call: Pick<Call, 'outcome' | 'status'> }) {
  const meaning = meaningOf(call.outcome);
  return (
    <span class={`state-word ${meaning}`}>
      <Mark meaning={meaning} />
      {stateText(call)}
    </span>
  );
}
