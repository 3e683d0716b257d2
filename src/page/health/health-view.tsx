import { Warning } from '../parts/banner.tsx';
import { Mark } from '../parts/mark.tsx';
import { Loading } from '../parts/states.tsx';
import { Time } from '../parts/time.tsx';
import { useTitle } from '../parts/title.ts';
import type { Health } from '../polykeep/answers.ts';
import { isAway } from '../polykeep/client.ts';
import { health } from '../polykeep/health.ts';
import { about } from '../polykeep/session.ts';
import { counted, countText } from '../words/numbers.ts';
import { runbookHref, type Trouble, troublesOf } from '../words/troubles.ts';
import { AccountTable } from './account-table.tsx';
import { WebhookTable } from './webhook-table.tsx';

/** How polykeep is: first what is wrong in words, then each part in numbers. */
export function HealthView() {
  useTitle('Health');
  const state = health.value;
  return (
    <>
      <div class="head">
        <h1>Health</h1>
        {state !== null && !isAway.value && (
          <span class="muted small">
            looked at <Time at={state.checkedAt} />
          </span>
        )}
      </div>
      {state === null ? <Loading rows={5} label="Looking" /> : <Shown state={state} />}
    </>
  );
}

function Shown({ state }: { state: Health }) {
  return (
    <>
      <Troubles troubles={troublesOf(state)} />
      <AccountTable
        accounts={state.accounts}
        isRemote={state.queue.isShared && state.workers.followedHere === 0}
      />
      <div class="columns three">
        <Part title="Archive" isUp={state.archive.state === 'up'} runbook="polykeeparchiveaway">
          {state.archive.state === 'up'
            ? 'Postgres answers and takes writes.'
            : 'Postgres is away, or takes no writes.'}
        </Part>
        <Part title="Queue" isUp={state.queue.state === 'up'} runbook="polykeepqueueaway">
          <QueueText queue={state.queue} />
        </Part>
        <Part title="Workers" isUp={state.workers.count !== 0} runbook="polykeepnobodypolls">
          <WorkerText workers={state.workers} />
        </Part>
      </div>
      <WebhookTable />
      <p class="muted small">
        polykeep {about.value?.version} · <a href="/runbook">Runbook</a> · <a href="/docs">API</a>
      </p>
    </>
  );
}

function Troubles({ troubles }: { troubles: readonly Trouble[] }) {
  if (troubles.length === 0) {
    return (
      <p class="panel all-well">
        <Mark meaning="success" /> All is well: calls are taken in, followed, and written.
      </p>
    );
  }
  return (
    <ul class="troubles">
      {troubles.map(({ title, text, severity, runbook }) => (
        <li key={title} class={`banner ${severity}`}>
          <Warning />
          <div>
            <strong>{title}.</strong> {text}{' '}
            <a href={runbookHref(runbook)} target="_blank" rel="noreferrer">
              What to do
            </a>
          </div>
        </li>
      ))}
    </ul>
  );
}

interface PartProps {
  title: string;
  isUp: boolean;
  runbook: string;
  children: preact.ComponentChildren;
}

function Part({ title, isUp, runbook, children }: PartProps) {
  return (
    <section class="panel part-card">
      <h2>
        <Mark meaning={isUp ? 'success' : 'failure'} /> {title}
      </h2>
      <p>{children}</p>
      {!isUp && (
        <a href={runbookHref(runbook)} target="_blank" rel="noreferrer">
          What to do
        </a>
      )}
    </section>
  );
}

function QueueText({ queue: { state, isShared, active, waiting } }: Pick<Health, 'queue'>) {
  if (state === 'down') return <>Redis is away, or refuses writes.</>;
  const where = isShared ? 'In Redis' : 'In this process';
  if (active === null || waiting === null) return <>{where}.</>;
  return (
    <>
      {where}: {counted(active, 'call is', 'calls are')} followed, {countText(waiting)} waiting.
    </>
  );
}

function WorkerText({ workers: { count, followedHere } }: Pick<Health, 'workers'>) {
  if (count === null) return <>How many run cannot be told from here.</>;
  if (count === 0) return <>None runs.</>;
  return (
    <>
      {counted(count, 'process follows', 'processes follow')} calls
      {followedHere > 0 && `, this one ${countText(followedHere)}`}.
    </>
  );
}
