import type { ComponentChildren } from 'preact';
import { hrefOf } from '../address.ts';
import { Time } from '../parts/time.tsx';
import type { Call } from '../polykeep/answers.ts';
import { countText } from '../words/numbers.ts';

export function Facts({ call }: { call: Call }) {
  return (
    <section class="panel" aria-labelledby="facts">
      <h2 id="facts">How it was followed</h2>
      <dl>
        <Fact name="Account">
          <a href={hrefOf(['calls'], { account: call.account })}>{call.account}</a>
        </Fact>
        <Fact name="Registered">
          <Time at={call.registeredAt} />
        </Fact>
        <Fact name="Created by PolyAI">{call.createdAt === null ? null : <Time at={call.createdAt} />}</Fact>
        <Fact name="Seen first">{call.firstSeenAt === null ? null : <Time at={call.firstSeenAt} />}</Fact>
        <Fact name="Seen last">{call.lastSeenAt === null ? null : <Time at={call.lastSeenAt} />}</Fact>
        <Fact name="Polls">
          {countText(call.polls)}
          {call.failedPolls > 0 && `, of which ${countText(call.failedPolls)} failed`}
        </Fact>
        <Fact name="Last error">{call.lastError}</Fact>
      </dl>
    </section>
  );
}

/** What is not known is left out. */
function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  if (children === null) return null;
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

export function Metadata({ metadata }: Pick<Call, 'metadata'>) {
  const entries = Object.entries(metadata);
  return (
    <section class="panel" aria-labelledby="metadata">
      <h2 id="metadata">Metadata</h2>
      {entries.length === 0 && <p class="muted">None was given at its registration.</p>}
      <dl>
        {entries.map(([key, value]) => (
          <Fact key={key} name={key}>
            {value}{' '}
            <a
              class="small"
              href={hrefOf(['calls'], { [`metadata.${key}`]: value })}
              aria-label={`calls with it: ${key} ${value}`}
            >
              calls with it
            </a>
          </Fact>
        ))}
      </dl>
    </section>
  );
}
