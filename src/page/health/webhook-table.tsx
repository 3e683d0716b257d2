import { Mark } from '../parts/mark.tsx';
import type { Webhooks } from '../polykeep/answers.ts';
import { useResource } from '../polykeep/resource.ts';

/** Whom polykeep tells. Nothing is shown where nobody is told. */
export function WebhookTable() {
  const { answer } = useResource<Webhooks>('/v1/webhooks');
  if (answer === null || answer.data.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="webhooks">
      <h2 id="webhooks">Webhooks</h2>
      <ul class="plain">
        {answer.data.map(({ id, url, description, enabled, disabledReason }) => (
          <li key={id}>
            <span class={`state-word ${enabled ? 'success' : 'failure'}`}>
              <Mark meaning={enabled ? 'success' : 'failure'} />
              {enabled ? 'On' : 'Off'}
            </span>{' '}
            {description ?? url}
            {disabledReason && <div class="reason">{disabledReason}</div>}
          </li>
        ))}
      </ul>
    </section>
  );
}
