ALTER TABLE "calls" ADD COLUMN "last_body" text;
--> statement-breakpoint
COMMENT ON COLUMN "calls"."last_body" IS 'PolyAI''s answer of last_seen_at as it came, for clients of its own API; null while PolyAI has shown none.';
