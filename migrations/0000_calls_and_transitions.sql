CREATE TABLE "calls" (
	"call_sid" text PRIMARY KEY NOT NULL,
	"account" text NOT NULL,
	"status" text,
	"outcome" text,
	"reason" text,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"registered_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp (3) with time zone,
	"last_updated" timestamp (3) with time zone,
	"first_seen_at" timestamp (3) with time zone,
	"last_seen_at" timestamp (3) with time zone,
	"settled_at" timestamp (3) with time zone,
	"followed_until" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"polls" integer DEFAULT 0 NOT NULL,
	"failed_polls" integer DEFAULT 0 NOT NULL,
	"last_error" text
);
--> statement-breakpoint
CREATE TABLE "transitions" (
	"call_sid" text NOT NULL,
	"seq" integer NOT NULL,
	"status" text NOT NULL,
	"reason" text,
	"changed_after" timestamp (3) with time zone,
	"observed_at" timestamp (3) with time zone NOT NULL,
	"last_updated" timestamp (3) with time zone,
	"payload" jsonb NOT NULL,
	"xid" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
	CONSTRAINT "transitions_call_sid_seq_pk" PRIMARY KEY("call_sid","seq")
);
--> statement-breakpoint
ALTER TABLE "transitions" ADD CONSTRAINT "transitions_call_sid_calls_call_sid_fk" FOREIGN KEY ("call_sid") REFERENCES "public"."calls"("call_sid") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "calls_newest_first" ON "calls" USING btree ("registered_at" desc,"call_sid" desc);--> statement-breakpoint
CREATE INDEX "calls_unsettled" ON "calls" USING btree ("followed_until","call_sid") WHERE "calls"."settled_at" is null;--> statement-breakpoint
CREATE INDEX "calls_metadata" ON "calls" USING gin ("metadata" jsonb_path_ops);