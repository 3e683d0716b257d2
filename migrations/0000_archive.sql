CREATE SCHEMA IF NOT EXISTS "polykeep_internal";
--> statement-breakpoint
CREATE TABLE "polykeep_internal"."accounts" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "polykeep_internal"."accounts_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"name" text collate "C" NOT NULL,
	CONSTRAINT "accounts_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "polykeep_internal"."archive" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "polykeep_internal"."calls" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "polykeep_internal"."calls_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"registered_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp (3) with time zone,
	"last_updated" timestamp (3) with time zone,
	"first_seen_at" timestamp (3) with time zone,
	"last_seen_at" timestamp (3) with time zone,
	"settled_at" timestamp (3) with time zone,
	"reopened_at" timestamp (3) with time zone,
	"account" integer NOT NULL,
	"status" integer,
	"polls" integer DEFAULT 0 NOT NULL,
	"failed_polls" integer DEFAULT 0 NOT NULL,
	"outcome" smallint,
	"transition_count" smallint DEFAULT 0 NOT NULL,
	"body_form" smallint,
	"call_sid" text collate "C" NOT NULL,
	"reason" text,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"last_error" text,
	"last_body" text,
	CONSTRAINT "calls_call_sid_unique" UNIQUE("call_sid")
);
--> statement-breakpoint
CREATE TABLE "polykeep_internal"."outcomes" (
	"id" smallint PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	CONSTRAINT "outcomes_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "polykeep_internal"."rollup_changes" (
	"settle_ms" bigint NOT NULL,
	"polls" bigint NOT NULL,
	"failed_polls" bigint NOT NULL,
	"bucket" integer NOT NULL,
	"key" integer NOT NULL,
	"account" integer NOT NULL,
	"calls" integer NOT NULL,
	"outcome" smallint NOT NULL,
	"sign" smallint NOT NULL,
	"is_retired" boolean NOT NULL,
	"value" text collate "C",
	"queued" text,
	"calling" text
);
--> statement-breakpoint
CREATE TABLE "polykeep_internal"."rollups" (
	"settle_ms" bigint NOT NULL,
	"polls" bigint NOT NULL,
	"failed_polls" bigint NOT NULL,
	"bucket" integer NOT NULL,
	"key" integer NOT NULL,
	"account" integer NOT NULL,
	"calls" integer NOT NULL,
	"outcome" smallint NOT NULL,
	"level" smallint NOT NULL,
	"value" text collate "C",
	"queued" "bytea",
	"calling" "bytea"
);
--> statement-breakpoint
CREATE TABLE "polykeep_internal"."stats_keys" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "polykeep_internal"."stats_keys_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"high_mark" bigint NOT NULL,
	"filled_up_to" bigint NOT NULL,
	"name" text collate "C" NOT NULL,
	CONSTRAINT "stats_keys_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "polykeep_internal"."statuses" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "polykeep_internal"."statuses_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"name" text collate "C" NOT NULL,
	CONSTRAINT "statuses_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "polykeep_internal"."transitions" (
	"xid" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
	"call_id" bigint NOT NULL,
	"observed_at" timestamp (3) with time zone NOT NULL,
	"changed_after" timestamp (3) with time zone,
	"last_updated" timestamp (3) with time zone,
	"status" integer NOT NULL,
	"seq" smallint NOT NULL,
	"body_form" smallint,
	"reason" text,
	"payload" jsonb
);
--> statement-breakpoint
CREATE TABLE "polykeep_internal"."unsettled" (
	"call_id" bigint PRIMARY KEY NOT NULL,
	"followed_until" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "calls_by_registration" ON "polykeep_internal"."calls" USING btree ("registered_at");
--> statement-breakpoint
CREATE INDEX "calls_by_settlement" ON "polykeep_internal"."calls" USING brin ("settled_at") WITH (pages_per_range=16);
--> statement-breakpoint
CREATE INDEX "calls_by_metadata" ON "polykeep_internal"."calls" USING gin ("metadata" jsonb_path_ops) WHERE "polykeep_internal"."calls"."metadata" <> '{}';
--> statement-breakpoint
CREATE INDEX "rollups_by_bucket" ON "polykeep_internal"."rollups" USING btree ("key","level","bucket","account",coalesce(hashtext("value"), 0));
--> statement-breakpoint
CREATE INDEX "transitions_by_call" ON "polykeep_internal"."transitions" USING btree ("call_id");
--> statement-breakpoint
CREATE INDEX "transitions_by_transaction" ON "polykeep_internal"."transitions" USING btree ("xid");
--> statement-breakpoint
CREATE INDEX "transitions_by_reason" ON "polykeep_internal"."transitions" USING btree (hashtext("reason")) WHERE "polykeep_internal"."transitions"."reason" is not null;
--> statement-breakpoint
-- A call's row is written some four times while it is young: free room on its page lets it stay there (HOT), where no
-- index is touched. Of the updates of calls that were all registered at once, 96 % stay at 80, 95.2 % at 83, 94.7 % at 85;
-- of 5,000 lives beside each other, 98 % at 80 and 96 % at 85. Each 5 take 13 bytes per call of those that are over.
ALTER TABLE "polykeep_internal"."calls" SET (fillfactor = 83, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
--> statement-breakpoint
ALTER TABLE "polykeep_internal"."transitions" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
--> statement-breakpoint
-- Small, and each row is written with each lease: its dead rows are to go at once.
ALTER TABLE "polykeep_internal"."unsettled" SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.2);
--> statement-breakpoint
-- A row of changes lives for seconds: it is folded into the rollups, where a row is written again and again.
ALTER TABLE "polykeep_internal"."rollup_changes" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_insert_threshold = -1);
--> statement-breakpoint
ALTER TABLE "polykeep_internal"."rollups" SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
--> statement-breakpoint
INSERT INTO "polykeep_internal"."outcomes" ("id", "name") VALUES (1, 'success'), (2, 'failure'), (3, 'not_found'), (4, 'lost'), (5, 'rejected'), (6, 'abandoned');
--> statement-breakpoint
INSERT INTO "polykeep_internal"."archive" DEFAULT VALUES;
--> statement-breakpoint
COMMENT ON TABLE "polykeep_internal"."accounts" IS 'Names of accounts: each once, and rows of calls have its number.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."accounts"."id" IS 'Number of the account.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."accounts"."name" IS 'Name of the account, as configured.';
--> statement-breakpoint
COMMENT ON TABLE "polykeep_internal"."statuses" IS 'Texts of statuses: each once, and rows have its number.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."statuses"."id" IS 'Number of the status.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."statuses"."name" IS 'Status as PolyAI showed it, lower-cased.';
--> statement-breakpoint
COMMENT ON TABLE "polykeep_internal"."outcomes" IS 'All outcomes there are.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."outcomes"."id" IS 'Number of the outcome: one that was given out keeps its meaning.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."outcomes"."name" IS 'Name of the outcome.';
--> statement-breakpoint
COMMENT ON TABLE "polykeep_internal"."archive" IS 'One row: the archive itself.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."archive"."id" IS 'The archive''s own id, which keys in Redis begin with: two archives may share a Redis.';
--> statement-breakpoint
COMMENT ON TABLE "polykeep_internal"."migrations" IS 'Migrations that the database has had; kept by Drizzle.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."migrations"."id" IS 'Number of the migration.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."migrations"."hash" IS 'Hash of the migration''s text.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."migrations"."created_at" IS 'When the migration was made, in milliseconds since 1970: polykeep knows it by that.';
--> statement-breakpoint
COMMENT ON TABLE "polykeep_internal"."calls" IS 'One row for each registered call.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."id" IS 'Number of the call, in the order of registrations.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."registered_at" IS 'When polykeep was told of the call.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."created_at" IS 'PolyAI''s created_at, where it gives one.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."last_updated" IS 'PolyAI''s newest last_updated, where it gives one.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."first_seen_at" IS 'First poll that PolyAI answered with a status.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."last_seen_at" IS 'Last poll that PolyAI answered with a status; while a call is followed it is written with transitions and leases.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."settled_at" IS 'The poll that settled the call; null while followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."reopened_at" IS 'When the call was last registered again after polykeep had concluded on it: its age is counted from then.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."account" IS 'Number in accounts of the account that is asked about the call.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."status" IS 'Number in statuses of the last status; null while PolyAI has shown none.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."polls" IS 'Polls of this call, failed ones included; written with transitions and leases.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."failed_polls" IS 'Polls that brought no status; written with transitions and leases.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."outcome" IS 'Number in outcomes of how the call settled; null while followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."transition_count" IS 'How many transitions the call has: the seq of the last one.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."body_form" IS 'How PolyAI''s last body is made of the columns; null where last_body has it, or there is none.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."call_sid" IS 'PolyAI''s id of the call, opaque.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."reason" IS 'PolyAI''s reason with the last status; null where it gave none or an empty one.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."metadata" IS 'What clients gave when they registered the call: string to string.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."last_error" IS 'Why the last poll failed; null when it brought a status.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."calls"."last_body" IS 'PolyAI''s last body byte by byte, where the columns do not say it all.';
--> statement-breakpoint
COMMENT ON TABLE "polykeep_internal"."transitions" IS 'One row for each status change; appended to, and deleted with its call.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."transitions"."xid" IS 'Transaction that wrote the row: the feed is in this order.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."transitions"."call_id" IS 'Number of the call in calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."transitions"."observed_at" IS 'The poll that saw the change.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."transitions"."changed_after" IS 'Last successful poll before the change; null for a first status.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."transitions"."last_updated" IS 'PolyAI''s last_updated with this status, where it gives one.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."transitions"."status" IS 'Number in statuses of the status that the call changed to.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."transitions"."seq" IS 'Position within the call, from 1, without gaps.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."transitions"."body_form" IS 'How PolyAI''s body is made of the columns; null where payload has it.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."transitions"."reason" IS 'PolyAI''s reason with this status, the latest it gave; null where none or empty.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."transitions"."payload" IS 'PolyAI''s body, where the columns do not say it all.';
--> statement-breakpoint
COMMENT ON TABLE "polykeep_internal"."unsettled" IS 'One row for each call that is followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."unsettled"."call_id" IS 'Number of the call in calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."unsettled"."followed_until" IS 'The promise to follow the call: nobody else takes it up before.';
--> statement-breakpoint
COMMENT ON TABLE "polykeep_internal"."rollup_changes" IS 'What transactions that changed calls changed of the rollups, until it is folded into them, seconds later.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollup_changes"."settle_ms" IS 'Sum of the milliseconds from registration to the settle.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollup_changes"."polls" IS 'Sum of the polls of settled calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollup_changes"."failed_polls" IS 'Sum of the polls of settled calls that brought no status.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollup_changes"."bucket" IS 'Quarter of an hour of registration, as their number since 1970; of a day its first one.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollup_changes"."key" IS 'Metadata key in stats_keys that the row is apart by; 0: none, all calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollup_changes"."account" IS 'Number of the account in accounts.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollup_changes"."calls" IS 'How many calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollup_changes"."outcome" IS 'Number of the outcome in outcomes; 0: still followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollup_changes"."sign" IS '1 adds the row, -1 takes it out.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollup_changes"."is_retired" IS 'Of calls that retention deletes.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollup_changes"."value" IS 'Value of the key; null where the calls lack it.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollup_changes"."queued" IS 'Milliseconds of each finished stay in queued, with commas between.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollup_changes"."calling" IS 'Milliseconds of each finished stay in calling, with commas between.';
--> statement-breakpoint
COMMENT ON TABLE "polykeep_internal"."rollups" IS 'Statistics: what calls of one quarter of an hour, or of one day, count for together.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollups"."settle_ms" IS 'Sum of the milliseconds from registration to the settle.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollups"."polls" IS 'Sum of the polls of settled calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollups"."failed_polls" IS 'Sum of the polls of settled calls that brought no status.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollups"."bucket" IS 'Quarter of an hour of registration, as their number since 1970; of a day its first one.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollups"."key" IS 'Metadata key in stats_keys that the row is apart by; 0: none, all calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollups"."account" IS 'Number of the account in accounts.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollups"."calls" IS 'How many calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollups"."outcome" IS 'Number of the outcome in outcomes; 0: still followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollups"."level" IS '0: a quarter, of the calls that are there; 1: a quarter, of those that retention deleted; 2: a day in UTC, of both.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollups"."value" IS 'Value of the key; null where the calls lack it.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollups"."queued" IS 'Sketch of the stays in queued.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."rollups"."calling" IS 'Sketch of the stays in calling.';
--> statement-breakpoint
COMMENT ON TABLE "polykeep_internal"."stats_keys" IS 'Metadata keys that statistics are kept by.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."stats_keys"."id" IS 'Number of the key.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."stats_keys"."high_mark" IS 'Calls with a higher id have counted by the key since their registration.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."stats_keys"."filled_up_to" IS 'Calls up to this id count by the key too: from high_mark on, all do.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."stats_keys"."name" IS 'The key.';
--> statement-breakpoint
CREATE TABLE "polykeep_internal"."webhooks" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "polykeep_internal"."webhooks_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"disabled_at" timestamp (3) with time zone,
	"failing_since" timestamp (3) with time zone,
	"held_until" timestamp (3) with time zone,
	"deleted_at" timestamp (3) with time zone,
	"enabled" boolean DEFAULT true NOT NULL,
	"rotations" timestamp (3) with time zone[] DEFAULT '{}' NOT NULL,
	"public_id" text collate "C" NOT NULL,
	"url" text NOT NULL,
	"secret_check" text NOT NULL,
	"events" smallint[] NOT NULL,
	"account" text collate "C",
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"description" text,
	"disabled_reason" text,
	CONSTRAINT "webhooks_public_id_unique" UNIQUE("public_id")
);
--> statement-breakpoint
CREATE TABLE "polykeep_internal"."deliveries" (
	"id" bigint GENERATED ALWAYS AS IDENTITY (sequence name "polykeep_internal"."deliveries_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"call_id" bigint NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"occurred_at" timestamp (3) with time zone NOT NULL,
	"next_attempt_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"leased_until" timestamp with time zone,
	"finished_at" timestamp (3) with time zone,
	"webhook_id" integer NOT NULL,
	"status" smallint DEFAULT 0 NOT NULL,
	"event" smallint NOT NULL,
	"seq" smallint NOT NULL,
	"outcome" smallint,
	"attempts" smallint DEFAULT 0 NOT NULL,
	"history" jsonb DEFAULT '[]'::jsonb NOT NULL,
	CONSTRAINT "deliveries_by_webhook" PRIMARY KEY("webhook_id","id")
);
--> statement-breakpoint
CREATE TABLE "polykeep_internal"."replays" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "polykeep_internal"."replays_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"webhook_id" integer NOT NULL,
	"since" timestamp (3) with time zone NOT NULL,
	"until" timestamp (3) with time zone NOT NULL,
	"done_up_to" bigint NOT NULL,
	"up_to" bigint NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX "deliveries_by_event" ON "polykeep_internal"."deliveries" USING btree ("call_id","webhook_id","seq","event","occurred_at");
--> statement-breakpoint
CREATE INDEX "deliveries_due" ON "polykeep_internal"."deliveries" USING btree ("webhook_id","next_attempt_at") WHERE "polykeep_internal"."deliveries"."status" = 0;
--> statement-breakpoint
CREATE INDEX "deliveries_under_way" ON "polykeep_internal"."deliveries" USING btree ("webhook_id") WHERE "polykeep_internal"."deliveries"."leased_until" is not null;
--> statement-breakpoint
CREATE INDEX "deliveries_failed" ON "polykeep_internal"."deliveries" USING btree ("webhook_id","id") WHERE "polykeep_internal"."deliveries"."status" = 2;
--> statement-breakpoint
-- The queue of what is to be told: its rows are written thrice within a second, and dead ones are to go at once.
ALTER TABLE "polykeep_internal"."deliveries" SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
--> statement-breakpoint
COMMENT ON TABLE "polykeep_internal"."webhooks" IS 'Endpoints that are told of events. Their secrets are derived and nowhere in the database.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."id" IS 'Number of the endpoint.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."created_at" IS 'When it was made.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."disabled_at" IS 'When it was disabled; null while it is enabled.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."failing_since" IS 'The first failed attempt since one succeeded; null while the last one did.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."held_until" IS 'Until when the receiver asked to be left alone.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."deleted_at" IS 'When it was removed: its deliveries are being deleted, and then it is.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."enabled" IS 'Whether events are written for it, and told it.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."rotations" IS 'When each secret took the place of the one before; their number is part of what a secret is derived from.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."public_id" IS 'What clients know it by.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."url" IS 'Where it is.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."secret_check" IS 'Tells whether a process derives its secret from the same root.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."events" IS 'Numbers of the events that it is told: 1 a transition, 2 a settlement.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."account" IS 'Name of the account whose calls it is told of; null: of all.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."metadata" IS 'What the metadata of a call must contain.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."description" IS 'What its maker wrote of it.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."webhooks"."disabled_reason" IS 'Why polykeep, or a client, disabled it.';
--> statement-breakpoint
COMMENT ON TABLE "polykeep_internal"."deliveries" IS 'What an endpoint is told: one row for each event, written with the event in one transaction.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."deliveries"."id" IS 'Number of the delivery.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."deliveries"."call_id" IS 'Number of the call in calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."deliveries"."created_at" IS 'When it was written.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."deliveries"."occurred_at" IS 'When the transition was observed, or the call settled.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."deliveries"."next_attempt_at" IS 'Nobody takes it up before.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."deliveries"."leased_until" IS 'A process is at it until then; null where none is.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."deliveries"."finished_at" IS 'When it was delivered, or given up.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."deliveries"."webhook_id" IS 'Number of the endpoint in webhooks.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."deliveries"."status" IS '0 pending, 1 delivered, 2 failed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."deliveries"."event" IS '1 a transition, 2 a settlement.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."deliveries"."seq" IS 'Seq of the transition; of a settlement, how many transitions there were.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."deliveries"."outcome" IS 'Number in outcomes of a settlement.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."deliveries"."attempts" IS 'Attempts since it was last sent anew.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."deliveries"."history" IS 'What came of the attempts, the newest last.';
--> statement-breakpoint
COMMENT ON TABLE "polykeep_internal"."replays" IS 'Spans of time that an endpoint is to be told of again.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."replays"."id" IS 'Number of the replay.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."replays"."webhook_id" IS 'Number of the endpoint in webhooks.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."replays"."since" IS 'Beginning of the span.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."replays"."until" IS 'End of the span, which is not in it.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."replays"."done_up_to" IS 'The calls up to this number are done.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."replays"."up_to" IS 'The last call to do.';
--> statement-breakpoint
-- The payload of a transition whose body says no more than its columns: the forms of src/call/body-form.ts.
CREATE FUNCTION "polykeep_internal"."payload_of"(form smallint, call_sid text, status text, reason text, created_at timestamptz, last_updated timestamptz)
RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE form % 10
    WHEN 1 THEN pg_catalog.jsonb_build_object('status', status, 'reason', coalesce(reason, ''))
    WHEN 2 THEN pg_catalog.jsonb_build_object('callSid', call_sid, 'status', pg_catalog.upper(status COLLATE "C"), 'reason', coalesce(reason, ''))
    WHEN 3 THEN pg_catalog.jsonb_build_object('callSid', call_sid, 'status', status,
                                   'created_at', pg_catalog.to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                                   'last_updated', pg_catalog.to_char(last_updated AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
    WHEN 4 THEN pg_catalog.jsonb_build_object('callSid', call_sid, 'status', status,
                                   'created_at', pg_catalog.to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                                   'last_updated', pg_catalog.to_char(last_updated AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
  END
$$;
--> statement-breakpoint
-- What a call counts for in statistics, by the quarter of an hour (since 1970) of its registration: one definition for
-- whoever adds a call, takes it out or counts anew, whatever the version of polykeep. Durations count once the call is
-- settled: a stay in a status lasts to the next transition, by PolyAI's clock where it gave both times, else by the polls.
CREATE VIEW "polykeep_internal"."contributions" AS
SELECT c.id, c.registered_at, floor(date_part('epoch', c.registered_at) / 900)::int AS bucket, c.account,
       coalesce(c.outcome, 0::smallint) AS outcome, c.metadata,
       CASE WHEN c.outcome IS NULL THEN 0
            ELSE round(date_part('epoch', c.settled_at - c.registered_at) * 1000)::bigint END AS settle_ms,
       CASE WHEN c.outcome IS NULL THEN 0 ELSE c.polls END AS polls,
       CASE WHEN c.outcome IS NULL THEN 0 ELSE c.failed_polls END AS failed_polls,
       s.queued, s.calling
  FROM "polykeep_internal"."calls" c
  LEFT JOIN LATERAL (
       SELECT string_agg(stay.ms::bigint::text, ',') FILTER (WHERE stay.status = 'queued') AS queued,
              string_agg(stay.ms::bigint::text, ',') FILTER (WHERE stay.status = 'calling') AS calling
         FROM (SELECT n.name AS status,
                      CASE WHEN lead(t.seq) OVER lives IS NOT NULL
                           THEN greatest(0, round(1000 * date_part('epoch',
                                  coalesce(lead(t.last_updated) OVER lives - t.last_updated,
                                           lead(t.observed_at) OVER lives - t.observed_at)))) END AS ms
                 FROM "polykeep_internal"."transitions" t
                 JOIN "polykeep_internal"."statuses" n ON n.id = t.status
                WHERE t.call_id = c.id
               WINDOW lives AS (ORDER BY t.seq)) stay
       ) s ON c.outcome IS NOT NULL;
--> statement-breakpoint
-- The rollups of all calls with the changes that are not yet folded into them: by the quarter, and by the day.
CREATE VIEW "polykeep_internal"."counts" AS
SELECT CASE WHEN level = 2 THEN 'day' ELSE 'quarter' END AS unit, bucket, account, outcome, calls, settle_ms, polls, failed_polls
  FROM "polykeep_internal"."rollups"
 WHERE key = 0
 UNION ALL
SELECT unit, CASE unit WHEN 'day' THEN bucket / 96 * 96 ELSE bucket END, account, outcome, sign * calls,
       sign * settle_ms, sign * polls, sign * failed_polls
  FROM "polykeep_internal"."rollup_changes", (VALUES ('day'), ('quarter')) AS units (unit)
 WHERE key = 0;
--> statement-breakpoint
CREATE SCHEMA IF NOT EXISTS "polykeep";
--> statement-breakpoint
-- The joins are outer ones, by a key: Postgres leaves out those that a question does not need.
CREATE VIEW "polykeep"."calls" AS
SELECT c.call_sid, a.name AS account, s.name AS status, o.name AS outcome, c.reason, c.metadata, c.registered_at, c.created_at,
       c.last_updated, c.first_seen_at, c.last_seen_at, c.settled_at, c.polls, c.failed_polls, c.last_error
  FROM "polykeep_internal"."calls" c
  LEFT JOIN "polykeep_internal"."accounts" a ON a.id = c.account
  LEFT JOIN "polykeep_internal"."statuses" s ON s.id = c.status
  LEFT JOIN "polykeep_internal"."outcomes" o ON o.id = c.outcome;
--> statement-breakpoint
CREATE VIEW "polykeep"."transitions" AS
SELECT c.call_sid, t.seq::int AS seq, s.name AS status, t.reason, t.changed_after, t.observed_at, t.last_updated,
       CASE WHEN t.body_form IS NULL THEN t.payload
            ELSE "polykeep_internal"."payload_of"(t.body_form, c.call_sid, s.name, t.reason, c.created_at, t.last_updated) END AS payload
  FROM "polykeep_internal"."transitions" t
  LEFT JOIN "polykeep_internal"."calls" c ON c.id = t.call_id
  LEFT JOIN "polykeep_internal"."statuses" s ON s.id = t.status;
--> statement-breakpoint
-- The next status by its number, not by a window: a filter on the call then reads that call alone.
CREATE VIEW "polykeep"."call_durations" AS
SELECT c.call_sid, a.name AS account, t.seq::int AS seq, s.name AS status,
       t.observed_at AS from_observed,
       n.observed_at AS to_observed,
       greatest(extract(epoch FROM n.observed_at - t.observed_at)::double precision, 0) * CASE WHEN n.seq IS NOT NULL THEN 1 END AS seconds,
       CASE WHEN n.seq IS NOT NULL
            THEN greatest(extract(epoch FROM n.changed_after - t.observed_at)::double precision, 0) END AS seconds_min,
       extract(epoch FROM n.observed_at - t.changed_after)::double precision AS seconds_max,
       CASE WHEN n.last_updated IS NOT NULL THEN t.last_updated END AS polyai_from,
       CASE WHEN t.last_updated IS NOT NULL THEN n.last_updated END AS polyai_to,
       greatest(extract(epoch FROM n.last_updated - t.last_updated)::double precision, 0)
         * CASE WHEN n.last_updated IS NOT NULL AND t.last_updated IS NOT NULL THEN 1 END AS polyai_seconds
  FROM "polykeep_internal"."transitions" t
  JOIN "polykeep_internal"."calls" c ON c.id = t.call_id
  LEFT JOIN "polykeep_internal"."accounts" a ON a.id = c.account
  LEFT JOIN "polykeep_internal"."statuses" s ON s.id = t.status
  LEFT JOIN "polykeep_internal"."transitions" n ON n.call_id = t.call_id AND n.seq = t.seq + 1
 WHERE n.seq IS NOT NULL OR c.outcome IS NULL OR c.outcome > 2;
--> statement-breakpoint
CREATE VIEW "polykeep"."outcomes_hourly" AS
SELECT to_timestamp(c.bucket / 4 * 3600.0) AS bucket, a.name AS account, o.name AS outcome, sum(c.calls)::bigint AS calls,
       CASE WHEN o.name IS NULL THEN 0 ELSE sum(c.calls)::bigint END AS settled,
       CASE WHEN o.name = 'success' THEN sum(c.calls)::bigint ELSE 0 END AS successes,
       CASE WHEN o.name = 'failure' THEN sum(c.calls)::bigint ELSE 0 END AS failures,
       (sum(c.settle_ms) / 1000)::double precision AS seconds_to_settle,
       sum(c.polls)::bigint AS polls,
       sum(c.failed_polls)::bigint AS failed_polls
  FROM "polykeep_internal"."counts" c
  LEFT JOIN "polykeep_internal"."accounts" a ON a.id = c.account
  LEFT JOIN "polykeep_internal"."outcomes" o ON o.id = c.outcome
 WHERE c.unit = 'quarter'
 GROUP BY 1, 2, 3
HAVING sum(c.calls) <> 0;
--> statement-breakpoint
CREATE VIEW "polykeep"."outcomes_daily" AS
SELECT to_timestamp(c.bucket * 900.0) AS bucket, a.name AS account, o.name AS outcome, sum(c.calls)::bigint AS calls,
       CASE WHEN o.name IS NULL THEN 0 ELSE sum(c.calls)::bigint END AS settled,
       CASE WHEN o.name = 'success' THEN sum(c.calls)::bigint ELSE 0 END AS successes,
       CASE WHEN o.name = 'failure' THEN sum(c.calls)::bigint ELSE 0 END AS failures,
       (sum(c.settle_ms) / 1000)::double precision AS seconds_to_settle,
       sum(c.polls)::bigint AS polls,
       sum(c.failed_polls)::bigint AS failed_polls
  FROM "polykeep_internal"."counts" c
  LEFT JOIN "polykeep_internal"."accounts" a ON a.id = c.account
  LEFT JOIN "polykeep_internal"."outcomes" o ON o.id = c.outcome
 WHERE c.unit = 'day'
 GROUP BY 1, 2, 3
HAVING sum(c.calls) <> 0;
--> statement-breakpoint
COMMENT ON SCHEMA "polykeep_internal" IS 'Tables of polykeep, for itself alone: they may change with any version. People read the schema polykeep.';
--> statement-breakpoint
COMMENT ON SCHEMA "polykeep" IS 'What people who write SQL may rely on; polykeep grant-reader makes roles that see this and nothing else.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."calls"."call_sid" IS 'PolyAI''s id of the call, opaque.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."calls"."account" IS 'The configured PolyAI account that is asked about the call.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."calls"."status" IS 'Last status PolyAI showed, lower-cased; null while PolyAI has shown none.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."calls"."outcome" IS 'How the call settled: success, failure, or, where PolyAI showed no end: not_found, lost, rejected, abandoned. Null while followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."calls"."reason" IS 'PolyAI''s reason with the last status; null where it gave none or an empty one.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."calls"."metadata" IS 'What the client gave when it registered the call: string to string.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."calls"."registered_at" IS 'When polykeep was told of the call.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."calls"."created_at" IS 'PolyAI''s created_at, where it gives one.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."calls"."last_updated" IS 'PolyAI''s newest last_updated, where it gives one.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."calls"."first_seen_at" IS 'First poll that PolyAI answered with a status.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."calls"."last_seen_at" IS 'Last poll that PolyAI answered with a status; while a call is followed it is written with transitions and leases, not with each poll.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."calls"."settled_at" IS 'The poll that settled the call; null while followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."calls"."polls" IS 'Polls of this call, failed ones included; written with transitions and leases.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."calls"."failed_polls" IS 'Polls that brought no status; written with transitions and leases.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."calls"."last_error" IS 'Why the last poll failed; null when it brought a status.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."transitions"."call_sid" IS 'The call that changed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."transitions"."seq" IS 'Position within the call, from 1, without gaps.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."transitions"."status" IS 'The status that the call changed to, lower-cased.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."transitions"."reason" IS 'PolyAI''s reason with this status, the latest it gave; null where none or empty.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."transitions"."changed_after" IS 'Last successful poll before the change: it happened in (changed_after, observed_at]. Null for a first status.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."transitions"."observed_at" IS 'The poll that saw the change.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."transitions"."last_updated" IS 'PolyAI''s last_updated with this status, where it gives one.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."transitions"."payload" IS 'PolyAI''s answer as it came.';
--> statement-breakpoint
COMMENT ON VIEW "polykeep"."call_durations" IS 'How long each call stayed in each status: one row per stay. The success or failure that ended a call is no stay.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."call_durations"."call_sid" IS 'PolyAI''s id of the call, opaque.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."call_durations"."account" IS 'The configured PolyAI account that is asked about the call.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."call_durations"."seq" IS 'Position of the status within the call, from 1: as in polykeep.transitions.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."call_durations"."status" IS 'The status that the call stayed in, lower-cased.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."call_durations"."from_observed" IS 'The poll that first saw the status.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."call_durations"."to_observed" IS 'The poll that first saw the next status; null while the stay lasts, or where PolyAI showed no end.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."call_durations"."seconds" IS 'Between the two polls, from_observed to to_observed; null without an end.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."call_durations"."seconds_min" IS 'The stay took at least so long: from the poll that saw it begin to the last poll that still saw it. Null without an end.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."call_durations"."seconds_max" IS 'The stay took less than so long: from the last poll that saw the status before to the poll that saw the next. Null without an end, and for a first status, whose beginning no poll saw.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."call_durations"."polyai_from" IS 'PolyAI''s own last_updated with this status; null unless it gave one with the next status too.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."call_durations"."polyai_to" IS 'PolyAI''s own last_updated with the next status; null unless it gave one with this status too.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."call_durations"."polyai_seconds" IS 'Between PolyAI''s own two times, which may be whole seconds; null where it did not give both.';
--> statement-breakpoint
COMMENT ON VIEW "polykeep"."outcomes_hourly" IS 'Calls by the hour (UTC) they were registered in, account and outcome. All but the first three columns can be summed over rows: a success rate is sum(successes) / (sum(successes) + sum(failures)).';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_hourly"."bucket" IS 'Start of the hour, in UTC, that the calls were registered in.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_hourly"."account" IS 'The configured PolyAI account of the calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_hourly"."outcome" IS 'How the calls settled: success, failure, not_found, lost, rejected or abandoned; null for those still followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_hourly"."calls" IS 'How many calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_hourly"."settled" IS 'How many of them are settled: the same as calls, or 0 where outcome is null.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_hourly"."successes" IS 'How many of them are a success: the same as calls, or 0.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_hourly"."failures" IS 'How many of them are a failure: the same as calls, or 0.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_hourly"."seconds_to_settle" IS 'Sum of the seconds from registration to the settle; divided by settled, the mean.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_hourly"."polls" IS 'Sum of the polls of these calls, failed ones included; 0 while they are followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_hourly"."failed_polls" IS 'Sum of the polls that brought no status; 0 while they are followed.';
--> statement-breakpoint
COMMENT ON VIEW "polykeep"."outcomes_daily" IS 'Calls by the day (UTC) they were registered in, account and outcome. All but the first three columns can be summed over rows: a success rate is sum(successes) / (sum(successes) + sum(failures)).';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_daily"."bucket" IS 'Start of the day, in UTC, that the calls were registered in.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_daily"."account" IS 'The configured PolyAI account of the calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_daily"."outcome" IS 'How the calls settled: success, failure, not_found, lost, rejected or abandoned; null for those still followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_daily"."calls" IS 'How many calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_daily"."settled" IS 'How many of them are settled: the same as calls, or 0 where outcome is null.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_daily"."successes" IS 'How many of them are a success: the same as calls, or 0.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_daily"."failures" IS 'How many of them are a failure: the same as calls, or 0.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_daily"."seconds_to_settle" IS 'Sum of the seconds from registration to the settle; divided by settled, the mean.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_daily"."polls" IS 'Sum of the polls of these calls, failed ones included; 0 while they are followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep"."outcomes_daily"."failed_polls" IS 'Sum of the polls that brought no status; 0 while they are followed.';
--> statement-breakpoint
COMMENT ON VIEW "polykeep"."calls" IS 'Calls, for people who write SQL: the columns stay while the table behind may change.';
--> statement-breakpoint
COMMENT ON VIEW "polykeep"."transitions" IS 'Status changes, for people who write SQL: the columns stay while the table behind may change.';
--> statement-breakpoint
COMMENT ON VIEW "polykeep_internal"."contributions" IS 'What each call counts for in statistics.';
--> statement-breakpoint
COMMENT ON VIEW "polykeep_internal"."counts" IS 'Counts of the rollups with the changes that are not yet folded into them.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."contributions"."id" IS 'Number of the call in calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."contributions"."registered_at" IS 'When polykeep was told of the call.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."contributions"."bucket" IS 'Quarter of an hour of registration, as their number since 1970.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."contributions"."account" IS 'Number of the account in accounts.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."contributions"."outcome" IS 'Number of the outcome in outcomes; 0: still followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."contributions"."metadata" IS 'What clients gave when they registered the call.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."contributions"."settle_ms" IS 'Milliseconds from registration to the settle; 0 while the call is followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."contributions"."polls" IS 'Polls of the call; 0 while it is followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."contributions"."failed_polls" IS 'Polls that brought no status; 0 while the call is followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."contributions"."queued" IS 'Milliseconds of each finished stay in queued, with commas between; null while the call is followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."contributions"."calling" IS 'Milliseconds of each finished stay in calling, with commas between; null while the call is followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."counts"."unit" IS 'quarter or day.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."counts"."bucket" IS 'Quarter of an hour of registration, as their number since 1970; of a day its first one.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."counts"."account" IS 'Number of the account in accounts.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."counts"."outcome" IS 'Number of the outcome in outcomes; 0: still followed.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."counts"."calls" IS 'How many calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."counts"."settle_ms" IS 'Sum of the milliseconds from registration to the settle.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."counts"."polls" IS 'Sum of the polls of settled calls.';
--> statement-breakpoint
COMMENT ON COLUMN "polykeep_internal"."counts"."failed_polls" IS 'Sum of the polls of settled calls that brought no status.';
