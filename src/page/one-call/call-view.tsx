import { useEffect, useState } from 'preact/hooks';
import { hrefOf } from '../address.ts';
import { Copy } from '../parts/copy.tsx';
import { State } from '../parts/mark.tsx';
import { Empty, Failing, Loading } from '../parts/states.tsx';
import { useTitle } from '../parts/title.ts';
import type { Call } from '../polykeep/answers.ts';
import { ask } from '../polykeep/client.ts';
import { sleep, untilVisible } from '../polykeep/patience.ts';
import { type Resource, useResource } from '../polykeep/resource.ts';
import { about, mayWrite } from '../polykeep/session.ts';
import { isConclusion } from '../words/outcomes.ts';
import { Changes } from './changes.tsx';
import { Conclusion } from './conclusion.tsx';
import { Deliveries } from './deliveries.tsx';
import { EraseButton } from './erase-button.tsx';
import { Facts, Metadata } from './facts.tsx';
import { lifeOf } from './life.ts';
import { Timeline } from './timeline.tsx';

/** A request for a call that is followed is held for so long, and answered at once when the call ends. */
const HELD_SECONDS = 2;
const AFTER_FAILURE_MS = 5_000;
const PAUSE_MS = 250;

export function CallView({ callSid }: { callSid: string }) {
  useTitle(callSid);
  const resource = useLiveCall(callSid);
  const { answer: call, failure, renew } = resource;
  if (call === null) {
    // 400: it cannot be a callSid.
    if (failure?.status === 404 || failure?.status === 400) return <Unknown callSid={callSid} />;
    if (failure !== null) return <Failing failure={failure} retry={renew} />;
    return <Loading rows={6} label="Loading the call" />;
  }
  return <Shown call={call} renew={renew} />;
}

/** While it is followed it is read again and again, so that each change is seen some two seconds after polykeep. */
function useLiveCall(callSid: string): Resource<Call> {
  const path = `/v1/calls/${encodeURIComponent(callSid)}`;
  const resource = useResource<Call>(path);
  const [live, setLive] = useState<Call | null>(null);
  const isFollowed = resource.answer !== null && (live ?? resource.answer).outcome === null;

  useEffect(() => setLive(null), [resource.answer]);
  useEffect(() => {
    if (!isFollowed) return;
    const over = new AbortController();
    void watch(`${path}?wait=${HELD_SECONDS}`, setLive, over.signal);
    return () => over.abort();
  }, [path, isFollowed]);

  return { ...resource, answer: live ?? resource.answer };
}

async function watch(path: string, tell: (call: Call) => void, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    try {
      const call = await ask<Call>(path, { signal: over });
      if (!over.aborted) tell(call);
      await sleep(PAUSE_MS, over);
    } catch {
      await sleep(AFTER_FAILURE_MS, over);
    }
    await untilVisible(over);
  }
}

function Shown({ call, renew }: { call: Call; renew: () => Promise<void> }) {
  const { callSid, outcome } = call;
  const life = lifeOf(call, Date.now());
  return (
    <article class="one-call">
      <p class="way">
        <a href="#/calls">Calls</a>
      </p>
      <div class="head">
        <h1 class="sid">{callSid}</h1>
        <Copy text={callSid} what="the callSid" />
        {mayWrite.value && <EraseButton call={call} />}
      </div>
      <p class="large" role="status">
        <State call={call} />
        {call.reason !== null && <span class="reason"> {call.reason}</span>}
        {outcome === null && <span class="live">live</span>}
      </p>
      {isConclusion(outcome) && <Conclusion call={call} outcome={outcome} renew={renew} />}
      <section class="panel" aria-labelledby="timeline">
        <h2 id="timeline">What happened, and when</h2>
        {life.stays.length > 0 && <Timeline call={call} life={life} />}
        <Changes life={life} />
      </section>
      <div class="columns">
        <Facts call={call} />
        <Metadata metadata={call.metadata} />
      </div>
      <Deliveries callSid={callSid} />
    </article>
  );
}

function Unknown({ callSid }: { callSid: string }) {
  const [only] = about.value?.accounts ?? [];
  return (
    <Empty title="polykeep does not know this call">
      <p>
        <code>{callSid}</code> was never registered{only === undefined ? '' : ', or it was erased'}.
      </p>
      <p>
        <a href={hrefOf(['calls'], { callSidPrefix: callSid })}>Look for calls that begin so</a>
      </p>
    </Empty>
  );
}
