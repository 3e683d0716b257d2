import type { PoolClient } from 'pg';
import { bodyOf, formOf } from '../../call/body-form.ts';
import type { FoldedCall } from '../../call/fold.ts';
import type { CallToWrite } from './calls-to-write.ts';
import {
  type AddedTransition,
  type Amendment,
  amendTransitions,
  type ChangedCall,
  followAgain,
  insertTransitions,
  type KeptBody,
  letGo,
  type Promised,
  promiseToFollow,
  type Updated,
  updateCalls,
} from './statements.ts';
import { statusCodes } from './status-codes.ts';

/** A call as it was read, and what its reports make of it. */
export interface Change {
  before: CallToWrite;
  folded: FoldedCall;
}

/**
 * Writes what the reports of a batch change of their calls, and gives the rows that it has written, as they now are. null
 * where another transaction has written one of the calls since it was read: then nothing of this may be committed.
 */
export async function writeChanges(
  client: PoolClient,
  changes: readonly Change[],
): Promise<CallToWrite[] | null> {
  const toldOf = changes.filter(({ folded }) => folded.isToldOf);
  const rows = toldOf.length === 0 ? [] : await writeCalls(client, toldOf);
  if (rows === null) return null;
  const promises = changes.flatMap(promiseFor);
  if (promises.length > 0) await client.query(promiseToFollow(promises));
  return rows;
}

async function writeCalls(client: PoolClient, changes: readonly Change[]): Promise<CallToWrite[] | null> {
  const codes = await statusCodes(client, new Set(changes.flatMap(statusesIn)));
  const changed = changes.map((change) => changedCall(change, codes));
  const { rows } = await client.query<Updated>(updateCalls(changed));
  const [updated] = rows;
  if (updated?.count !== changes.length) return null;
  const settled = changes.filter(({ folded }) => folded.after.state.outcome !== null).map(idOf);
  if (settled.length > 0) await client.query(letGo(settled));
  const reopened = changes.filter(isReopened).map(idOf);
  if (reopened.length > 0) await client.query(followAgain(reopened));
  const amendments = changes.flatMap(amendmentOf);
  if (amendments.length > 0) await client.query(amendTransitions(amendments));
  const added = changes.flatMap((change) => addedTo(change, codes));
  if (added.length > 0) await client.query(insertTransitions(added));
  return changed.map((call) => rowAfter(call, updated));
}

/** As it would be read after it was written. */
function rowAfter({ id, bodyForm, body, folded }: ChangedCall, { version, atMs }: Updated): CallToWrite {
  const { after, polls } = folded;
  const { lastSeenAt } = after.state;
  const silentMs = lastSeenAt === null ? null : Math.max(0, atMs - lastSeenAt.getTime());
  return {
    id,
    version,
    bodyForm: body === null ? bodyForm : body.form,
    call: { ...after, polls: after.polls + polls, silentMs },
  };
}

const idOf = ({ before }: Change) => before.id;
const isReopened = ({ folded }: Change) => folded.wasSettled && folded.after.state.outcome === null;

function statusesIn({ folded: { after, transitions } }: Change): string[] {
  const statuses = transitions.map(({ status }) => status);
  return after.state.status === null ? statuses : [...statuses, after.state.status];
}

function changedCall({ before, folded }: Change, codes: ReadonlyMap<string, number>): ChangedCall {
  const { status } = folded.after.state;
  const { id, version, bodyForm } = before;
  const body = keptBody(before, folded);
  return { id, version, bodyForm, folded, status: codes.get(status ?? '') ?? null, body };
}

/** A body that the row makes of its columns is written down once these change without it. */
function keptBody(
  { bodyForm, call }: CallToWrite,
  { callSid, lastBody, after }: FoldedCall,
): KeptBody | null {
  const body = lastBody ?? (bodyForm === null ? null : bodyOf(bodyForm, { callSid, ...call.state }));
  if (body === null) return null;
  const form = formOf(body, { callSid, ...after.state });
  if (form === null) return { form, text: body };
  return form === bodyForm ? null : { form, text: null };
}

function promiseFor({ before: { id }, folded: { after, followForMs } }: Change): Promised[] {
  return followForMs === undefined || after.state.outcome !== null ? [] : [{ callId: id, followForMs }];
}

function amendmentOf({ before, folded: { amendment } }: Change): Amendment[] {
  return amendment === null
    ? []
    : [{ callId: before.id, seq: before.call.state.transitionCount, sighting: amendment }];
}

function addedTo(
  { before, folded: { callSid, after, transitions } }: Change,
  codes: ReadonlyMap<string, number>,
): AddedTransition[] {
  const { createdAt } = after.state;
  return transitions.map((sighting, index) => ({
    callId: before.id,
    seq: before.call.state.transitionCount + 1 + index,
    sighting,
    status: codes.get(sighting.status) ?? null,
    form: formOf(sighting.body, { ...sighting, callSid, createdAt }),
  }));
}
