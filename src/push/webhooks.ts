import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { answering } from '../archive/database.ts';
import { inTransaction } from '../archive/transaction.ts';
import { type CallEvent, EVENT_CODES } from '../call/event.ts';
import type { Secrets } from './secrets.ts';
import { eventOf, MAX_WEBHOOKS, type Signer, type Webhook, type WebhookSettings } from './webhook.ts';

/** As many webhooks as there may be for an account. */
export class TooManyWebhooksError extends Error {
  override readonly name = 'TooManyWebhooksError';
  readonly code = 'too_many_webhooks';

  constructor() {
    super(`there are ${MAX_WEBHOOKS} webhooks for the account already`);
  }
}

/** No root of secrets is configured, so that none can be derived. */
export class NoRootSecretError extends Error {
  override readonly name = 'NoRootSecretError';
  readonly code = 'no_root_secret';

  constructor() {
    super('WEBHOOKS_SECRET is not set');
  }
}

/** A webhook with its newest secret, for its receiver. */
export interface ShownWebhook {
  webhook: Webhook;
  secret: string;
}

export interface WebhookChange extends Partial<WebhookSettings> {
  enabled?: boolean;
}

/** All reject with `ArchiveUnavailableError` where Postgres is away. */
export interface Webhooks {
  /** Rejects with `TooManyWebhooksError`, and with `NoRootSecretError`. */
  create(settings: WebhookSettings): Promise<ShownWebhook>;
  list(): Promise<Webhook[]>;
  /** null where there is none, as below. */
  read(id: string): Promise<Webhook | null>;
  /** To enable one forgets why it was disabled. Rejects with `TooManyWebhooksError`. */
  change(id: string, change: WebhookChange): Promise<Webhook | null>;
  /** What waits for it is not sent. False where there is none. */
  remove(id: string): Promise<boolean>;
  /** Makes a new secret; the one before signs for a day more. Rejects with `NoRootSecretError`. */
  rotate(id: string): Promise<ShownWebhook | null>;
  /** What is needed to sign for it now. */
  signer(id: string): Promise<(Signer & { url: string }) | null>;
}

const FIELDS = `
 w.public_id as id, w.url, w.events, w.account, w.metadata, w.description, w.enabled, w.disabled_reason as "disabledReason",
 w.disabled_at as "disabledAt", w.failing_since as "failingSince", w.created_at as "createdAt", w.rotations`;
const THERE = 'w.deleted_at is null';

/** One at a time counts and adds: two could both find room for one. */
const LOCK = 'select pg_advisory_xact_lock(7066521394)';
const COUNT = `
select count(*)::int as count from polykeep_internal.webhooks w
 where ${THERE} and w.account is not distinct from $1 and w.public_id is distinct from $2`;

const CREATE = `
insert into polykeep_internal.webhooks as w (public_id, url, events, account, metadata, description, secret_check)
values ($1, $2, $3, $4, $5, $6, $7)
returning ${FIELDS}`;

const CHANGE = `
update polykeep_internal.webhooks w
   set url = $2, events = $3, account = $4, metadata = $5, description = $6, enabled = $7,
       disabled_reason = case when not $7 then coalesce(w.disabled_reason, 'by request') end,
       disabled_at = case when not $7 then coalesce(w.disabled_at, now()) end,
       failing_since = case when w.enabled then w.failing_since end,
       held_until = case when w.url = $2 then w.held_until end
 where w.public_id = $1 and ${THERE}
returning ${FIELDS}`;

interface Count {
  count: number;
}

interface WebhookRow extends Omit<Webhook, 'events'> {
  events: number[];
  rotations: Date[];
}

/** `secrets`: null where there is no root. */
export function createWebhooks(pool: Pool, secrets: Secrets | null): Webhooks {
  async function readRow(id: string): Promise<WebhookRow | null> {
    const text = `select ${FIELDS} from polykeep_internal.webhooks w where w.public_id = $1 and ${THERE}`;
    const { rows } = await answering(pool.query<WebhookRow>(text, [id]));
    return rows[0] ?? null;
  }

  return {
    async create(settings) {
      const { check, shown } = existing(secrets);
      const created = inTransaction(pool, 'begin', async (client) => {
        await client.query(LOCK);
        if (isFull(await client.query<Count>(COUNT, [settings.account, null]))) return null;
        const id = `wh_${randomUUID().replaceAll('-', '')}`;
        const values = [id, ...valuesOf(settings), check(id)];
        const { rows } = await client.query<WebhookRow>(CREATE, values);
        return theOne(rows);
      });
      const row = await answering(created);
      if (row === null) throw new TooManyWebhooksError();
      return { webhook: webhookOf(row), secret: shown(row) };
    },

    async list() {
      const text = `select ${FIELDS} from polykeep_internal.webhooks w where ${THERE} order by w.id`;
      const { rows } = await answering(pool.query<WebhookRow>(text));
      return rows.map(webhookOf);
    },

    async read(id) {
      const row = await readRow(id);
      return row === null ? null : webhookOf(row);
    },

    async change(id, change) {
      const changed = inTransaction(pool, 'begin', async (client) => {
        await client.query(LOCK);
        const known = await client.query<WebhookRow>(
          `select ${FIELDS} from polykeep_internal.webhooks w where w.public_id = $1 and ${THERE} for update`,
          [id],
        );
        const [row] = known.rows;
        if (row === undefined) return null;
        const after = { ...webhookOf(row), ...change };
        const isMoved = after.account !== row.account;
        if (isMoved && isFull(await client.query<Count>(COUNT, [after.account, id]))) return 'full';
        const { rows } = await client.query<WebhookRow>(CHANGE, [id, ...valuesOf(after), after.enabled]);
        return webhookOf(theOne(rows));
      });
      const after = await answering(changed);
      if (after === 'full') throw new TooManyWebhooksError();
      return after;
    },

    async remove(id) {
      const text = `update polykeep_internal.webhooks w set deleted_at = now(), enabled = false
                     where w.public_id = $1 and ${THERE}`;
      return ((await answering(pool.query(text, [id]))).rowCount ?? 0) > 0;
    },

    async rotate(id) {
      const { check, shown } = existing(secrets);
      const text = `update polykeep_internal.webhooks w
                       set rotations = w.rotations || now()::timestamptz(3), secret_check = $2
                     where w.public_id = $1 and ${THERE}
                    returning ${FIELDS}`;
      const { rows } = await answering(pool.query<WebhookRow>(text, [id, check(id)]));
      const [row] = rows;
      return row === undefined ? null : { webhook: webhookOf(row), secret: shown(row) };
    },

    async signer(id) {
      const text = `select w.public_id as id, w.url, w.rotations, w.secret_check as "secretCheck"
                      from polykeep_internal.webhooks w where w.public_id = $1 and ${THERE}`;
      const { rows } = await answering(pool.query<Signer & { url: string }>(text, [id]));
      return rows[0] ?? null;
    },
  };
}

function existing(secrets: Secrets | null): Secrets {
  if (secrets === null) throw new NoRootSecretError();
  return secrets;
}

function valuesOf({ url, events, account, metadata, description }: WebhookSettings): unknown[] {
  return [url, events.map((event) => EVENT_CODES[event]), account, JSON.stringify(metadata), description];
}

function isFull({ rows }: { rows: Count[] }): boolean {
  return (rows[0]?.count ?? 0) >= MAX_WEBHOOKS;
}

function theOne(rows: readonly WebhookRow[]): WebhookRow {
  const [row] = rows;
  if (row === undefined) throw new Error('a webhook was written and not given back');
  return row;
}

function webhookOf({ rotations: _, events, ...row }: WebhookRow): Webhook {
  const known = events.map(eventOf).filter((event): event is CallEvent => event !== undefined);
  return { ...row, events: known };
}
