import { address } from '../address.ts';
import { answeredAt, isAway } from '../polykeep/client.ts';
import { health } from '../polykeep/health.ts';
import { clockText } from '../words/times.ts';
import { runbookHref, troublesOf } from '../words/troubles.ts';

/** On every view while anything is not as it should be; on Health the view itself tells it all. */
export function Banner() {
  if (isAway.value) return <AwayBanner />;
  const troubles = health.value === null ? [] : troublesOf(health.value);
  const [first, ...others] = troubles;
  if (first === undefined || address.value.path[0] === 'health') return null;
  return (
    <div class={`banner ${first.severity}`} role="status">
      <Warning />
      <div>
        <strong>{first.title}.</strong> <span class="detail">{first.text}</span>{' '}
        <a href={runbookHref(first.runbook)} target="_blank" rel="noreferrer">
          What to do
        </a>
        {others.length > 0 && (
          <>
            {' · '}
            <a href="#/health">{others.length} more in Health</a>
          </>
        )}
      </div>
    </div>
  );
}

function AwayBanner() {
  const at = answeredAt.value;
  return (
    <div class="banner bad" role="status">
      <Warning />
      <div>
        <strong>{navigator.onLine ? 'polykeep does not answer.' : 'This browser is offline.'}</strong>{' '}
        {at !== null && `What you see is from ${clockText(at)}. `}The page goes on trying.
      </div>
    </div>
  );
}

export function Warning() {
  return (
    <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" class="warning-sign">
      <path d="M10 2.5 18.5 17h-17Z" />
      <path d="M10 8v4m0 2.2v.3" />
    </svg>
  );
}
