import type { QueryConfig } from 'pg';
import { OUTCOME_CODES } from '../../call/call.ts';
import { EVENT_CODES, type Happening } from '../../call/event.ts';
import type { Change } from './changes.ts';
import { unnested } from './unnest.ts';

/** A happening of a call that is in the archive. */
interface ToldCall {
  callId: string;
  happening: Happening;
}

const TOLD = unnested<ToldCall>([
  ['call_id', 'int8', ({ callId }) => callId],
  ['event', 'int2', ({ happening }) => EVENT_CODES[happening.event]],
  ['seq', 'int2', ({ happening }) => happening.seq],
  [
    'outcome',
    'int2',
    ({ happening }) => (happening.event === 'call.settled' ? OUTCOME_CODES[happening.outcome] : null),
  ],
  ['occurred_at', 'timestamptz', ({ happening }) => happening.at],
]);

/**
 * Who is told what is decided with what happened, in one transaction: neither is there without the other. A reader of
 * the feed could decide it later, but would wait for the oldest transaction of the server (feed.ts), and would know
 * nothing of conclusions. An account that an endpoint is for may have no call yet, so it is compared by its name.
 */
const TELL_WEBHOOKS = `
insert into polykeep_internal.deliveries (webhook_id, call_id, event, seq, outcome, occurred_at)
select w.id, u.call_id, u.event, u.seq, u.outcome, u.occurred_at
  from polykeep_internal.webhooks w
  left join polykeep_internal.accounts a on a.name = w.account
 cross join ${TOLD.sql}
  join polykeep_internal.calls c on c.id = u.call_id
 where w.enabled and w.deleted_at is null and u.event = any(w.events) and c.metadata @> w.metadata
   and (w.account is null or c.account = a.id)
 order by u.call_id, u.seq, u.event, w.id
    on conflict do nothing`;

/** Writes down which endpoints are to be told of what happened to the calls; null where nothing did. */
export function tellWebhooks(calls: readonly Change[]): QueryConfig | null {
  const told = calls.flatMap((call) =>
    happeningsOf(call).map((happening) => ({ callId: call.before.id, happening })),
  );
  return told.length === 0 ? null : { name: 'tell_webhooks', text: TELL_WEBHOOKS, values: TOLD.values(told) };
}

/** A conclusion that was drawn and taken back in one batch was never there. */
function happeningsOf({ before, folded }: Change): Happening[] {
  const { state } = before.call;
  const { outcome, settledAt, transitionCount } = folded.after.state;
  const happened: Happening[] = folded.transitions.map(({ observedAt }, index) => ({
    event: 'call.transition',
    seq: state.transitionCount + 1 + index,
    at: observedAt,
  }));
  const isSettledAnew = state.outcome !== outcome || state.settledAt?.getTime() !== settledAt?.getTime();
  if (outcome === null || settledAt === null || !isSettledAnew) return happened;
  return [...happened, { event: 'call.settled', seq: transitionCount, at: settledAt, outcome }];
}
