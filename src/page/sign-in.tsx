import { useState } from 'preact/hooks';
import { openingFailure, signIn } from './polykeep/session.ts';

/** Asks for a key of `API_KEYS`. It is kept for this tab, and sent to polykeep alone. */
export function SignIn() {
  const [isTrying, setTrying] = useState(false);
  const [complaint, setComplaint] = useState('');

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget;
    if (!(form instanceof HTMLFormElement)) return;
    const key = String(new FormData(form).get('key') ?? '').trim();
    if (key === '') return setComplaint('Write the key first.');
    setTrying(true);
    setComplaint('');
    if (!(await signIn(key))) setComplaint(complaintOf());
    setTrying(false);
  }

  return (
    <main class="narrow sign-in">
      <h1>polykeep</h1>
      <p class="muted">What happened to this call, and how are we doing?</p>
      <form onSubmit={submit} class="panel">
        <label for="key">API key</label>
        <input
          id="key"
          name="key"
          type="password"
          autocomplete="off"
          spellcheck={false}
          aria-describedby="key-note"
          aria-invalid={complaint !== ''}
        />
        <p role="alert" class="complaint">
          {complaint}
        </p>
        <button type="submit" class="primary" disabled={isTrying}>
          {isTrying ? 'Trying …' : 'Sign in'}
        </button>
        <p id="key-note" class="muted small">
          One of <code>API_KEYS</code>. It stays in this tab until you close it or sign out. A key that may
          only read shows no button that changes anything.
        </p>
      </form>
    </main>
  );
}

function complaintOf(): string {
  const failure = openingFailure.value;
  if (failure?.kind === 'refused') return 'polykeep does not know this key.';
  return failure?.message ?? 'polykeep does not answer.';
}
