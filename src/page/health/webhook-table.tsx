import { Mark } from '../parts/mark.tsx';
import type { Listed, Webhook } from '../polykeep/answers.ts';
import { ask } from '../polykeep/client.ts';
import { Failure } from '../polykeep/failure.ts';
import { useResource } from '../polykeep/resource.ts';

/** Whom polykeep tells. Nothing is shown where nobody is told, or where this polykeep has no webhooks. */
export function WebhookTable() {
  const { answer } = useResource<Webhook[]>('/v1/webhooks', readWebhooks);
  if (answer === null || answer.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="webhooks">
      <h2 id="webhooks">Webhooks</h2>
      <ul class="plain">
        {answer.map(({ id, url, description, enabled = true, disabledReason }) => (
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

async function readWebhooks(path: string, signal: AbortSignal): Promise<Webhook[]> {
  try {
    return (await ask<Listed<Webhook>>(path, { signal })).data;
  } catch (error) {
    if (error instanceof Failure && error.status === 404) return [];
    throw error;
  }
}
