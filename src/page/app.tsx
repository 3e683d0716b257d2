import { useEffect } from 'preact/hooks';
import { address } from './address.ts';
import { CallsView } from './calls/calls-view.tsx';
import { HealthView } from './health/health-view.tsx';
import { CallView } from './one-call/call-view.tsx';
import { OutcomesView } from './outcomes/outcomes-view.tsx';
import { Banner } from './parts/banner.tsx';
import { Bar } from './parts/bar.tsx';
import { Failing } from './parts/states.tsx';
import { isAway } from './polykeep/client.ts';
import { watchHealth } from './polykeep/health.ts';
import { about, mustSignIn, open, openingFailure } from './polykeep/session.ts';
import { SignIn } from './sign-in.tsx';

export function App() {
  if (mustSignIn.value) return <SignIn />;
  if (about.value === null) return <Opening />;
  return <Opened />;
}

/** Before polykeep has said who we are. It is there for a moment, unless nobody answers. */
function Opening() {
  const failure = openingFailure.value;
  if (failure === null) return null;
  return (
    <main class="narrow">
      <Failing failure={failure} retry={open} />
    </main>
  );
}

function Opened() {
  useEffect(() => {
    const over = new AbortController();
    void watchHealth(over.signal);
    return () => over.abort();
  }, []);

  return (
    <>
      <button type="button" class="skip" onClick={skipToView}>
        Skip to the content
      </button>
      <Bar />
      <Banner />
      <main id="view" tabIndex={-1} aria-busy={isAway.value}>
        <View />
      </main>
    </>
  );
}

/** A button, since a link would change the address, which stands behind the `#`. */
function skipToView(): void {
  document.getElementById('view')?.focus();
}

function View() {
  const { path, query } = address.value;
  const [view, callSid] = path;
  switch (view) {
    case undefined:
    case 'calls':
      if (callSid !== undefined) return <CallView key={callSid} callSid={callSid} />;
      return <CallsView query={query} />;
    case 'outcomes':
      return <OutcomesView query={query} />;
    case 'health':
      return <HealthView />;
    default:
      return (
        <section class="state">
          <h1>There is no such view</h1>
          <p>
            <a href="#/calls">See the calls</a>
          </p>
        </section>
      );
  }
}
