CREATE TABLE "archive" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL
);
--> statement-breakpoint
COMMENT ON TABLE "archive" IS 'One row: the id of this archive, by which its keys in Redis are told from those of others';
--> statement-breakpoint
INSERT INTO "archive" DEFAULT VALUES;
--> statement-breakpoint
ALTER TABLE "calls" ADD COLUMN "reopened_at" timestamp (3) with time zone, ADD COLUMN "transition_count" integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
COMMENT ON COLUMN "archive"."id" IS 'Made by chance at the first migration, and never changed.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."reopened_at" IS 'When it was last registered again, after polykeep had concluded on it; null: never.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."transition_count" IS 'How many transitions of it there are.';
