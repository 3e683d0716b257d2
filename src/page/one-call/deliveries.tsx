import { Time } from '../parts/time.tsx';
import type { Delivery, Deliveries as DeliveryPage, Webhook, Webhooks } from '../polykeep/answers.ts';
import { ask } from '../polykeep/client.ts';
import { Failure } from '../polykeep/failure.ts';
import { useResource } from '../polykeep/resource.ts';
import { counted } from '../words/numbers.ts';

interface Told {
  webhook: Webhook;
  deliveries: Delivery[];
}

/** Whom webhooks told of the call. There is nothing to see where there are no webhooks. */
export function Deliveries({ callSid }: { callSid: string }) {
  const { answer } = useResource<Told[]>(`/v1/webhooks?for=${encodeURIComponent(callSid)}`, readTold);
  const told = answer?.filter(({ deliveries }) => deliveries.length > 0) ?? [];
  if (told.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="deliveries">
      <h2 id="deliveries">Webhook deliveries</h2>
      {told.map(({ webhook, deliveries }) => (
        <div key={webhook.id}>
          <h3>{webhook.description ?? webhook.url}</h3>
          <ul class="plain">
            {deliveries.map((delivery) => (
              <DeliveryLine key={delivery.id} delivery={delivery} />
            ))}
          </ul>
        </div>
      ))}
    </section>
  );
}

function DeliveryLine({ delivery: { event, status, createdAt, attempts } }: { delivery: Delivery }) {
  const last = attempts.at(-1);
  return (
    <li>
      <strong>{WORDS[status]}</strong> {event} <Time at={createdAt} />{' '}
      <span class="muted">
        {counted(attempts.length, 'attempt', 'attempts')}
        {last !== undefined && `, the last: ${last.statusCode ?? last.error ?? 'no answer'}`}
      </span>
    </li>
  );
}

const WORDS: Record<Delivery['status'], string> = {
  pending: 'Waiting',
  delivered: 'Delivered',
  failed: 'Failed',
};

/** `path` names the call. Where a webhook is removed between the questions there is none to show. */
async function readTold(path: string, signal: AbortSignal): Promise<Told[]> {
  const callSid = new URL(path, location.origin).searchParams.get('for') ?? '';
  try {
    const { data } = await ask<Webhooks>('/v1/webhooks', { signal });
    return await Promise.all(data.map((webhook) => readOne(webhook, callSid, signal)));
  } catch (error) {
    if (error instanceof Failure && error.status === 404) return [];
    throw error;
  }
}

async function readOne(webhook: Webhook, callSid: string, signal: AbortSignal): Promise<Told> {
  const query = new URLSearchParams({ callSid });
  const path = `/v1/webhooks/${encodeURIComponent(webhook.id)}/deliveries?${query}`;
  const { data } = await ask<DeliveryPage>(path, { signal });
  return { webhook, deliveries: data };
}
