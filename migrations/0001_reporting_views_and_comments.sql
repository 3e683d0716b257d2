CREATE SCHEMA "reporting";
--> statement-breakpoint
CREATE VIEW "reporting"."calls" AS
SELECT call_sid, account, status, outcome, reason, metadata, registered_at, created_at, last_updated,
       first_seen_at, last_seen_at, settled_at, polls, failed_polls, last_error
  FROM "public"."calls";
--> statement-breakpoint
CREATE VIEW "reporting"."transitions" AS
SELECT call_sid, seq, status, reason, changed_after, observed_at, last_updated, payload
  FROM "public"."transitions";
--> statement-breakpoint
COMMENT ON TABLE "calls" IS 'One row per PolyAI outbound call that was registered with polykeep.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."call_sid" IS 'PolyAI''s id of the call, opaque.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."account" IS 'The configured PolyAI account that is asked about the call.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."status" IS 'Last status PolyAI showed, lower-cased; null while PolyAI has shown none.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."outcome" IS 'How the call settled: success, failure, or, where PolyAI showed no end: not_found, lost, rejected, abandoned. Null while followed.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."reason" IS 'PolyAI''s reason with the last status; null where it gave none or an empty one.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."metadata" IS 'What the client gave when it registered the call: string to string.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."registered_at" IS 'When polykeep was told of the call.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."created_at" IS 'PolyAI''s created_at, where it gives one.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."last_updated" IS 'PolyAI''s newest last_updated, where it gives one.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."first_seen_at" IS 'First poll that PolyAI answered with a status.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."last_seen_at" IS 'Last poll that PolyAI answered with a status; while a call is followed it is written with transitions and leases, not with each poll.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."settled_at" IS 'The poll that settled the call; null while followed.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."followed_until" IS 'Until then some worker has promised to follow the call; the sweeper takes up unsettled calls whose time has passed.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."polls" IS 'Polls of this call, failed ones included; written with transitions and leases.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."failed_polls" IS 'Polls that brought no status; written with transitions and leases.';
--> statement-breakpoint
COMMENT ON COLUMN "calls"."last_error" IS 'Why the last poll failed; null when it brought a status.';
--> statement-breakpoint
COMMENT ON TABLE "transitions" IS 'Every status change that was seen, in order.';
--> statement-breakpoint
COMMENT ON COLUMN "transitions"."call_sid" IS 'The call that changed.';
--> statement-breakpoint
COMMENT ON COLUMN "transitions"."seq" IS 'Position within the call, from 1, without gaps.';
--> statement-breakpoint
COMMENT ON COLUMN "transitions"."status" IS 'The status that the call changed to, lower-cased.';
--> statement-breakpoint
COMMENT ON COLUMN "transitions"."reason" IS 'PolyAI''s reason with this status, the latest it gave; null where none or empty.';
--> statement-breakpoint
COMMENT ON COLUMN "transitions"."changed_after" IS 'Last successful poll before the change: it happened in (changed_after, observed_at]. Null for a first status.';
--> statement-breakpoint
COMMENT ON COLUMN "transitions"."observed_at" IS 'The poll that saw the change.';
--> statement-breakpoint
COMMENT ON COLUMN "transitions"."last_updated" IS 'PolyAI''s last_updated with this status, where it gives one.';
--> statement-breakpoint
COMMENT ON COLUMN "transitions"."payload" IS 'PolyAI''s answer as it came.';
--> statement-breakpoint
COMMENT ON COLUMN "transitions"."xid" IS 'Transaction that wrote the row: the order of the feed.';
--> statement-breakpoint
COMMENT ON VIEW "reporting"."calls" IS 'Calls, for people who write SQL: the columns stay while the table behind may change.';
--> statement-breakpoint
COMMENT ON VIEW "reporting"."transitions" IS 'Status changes, for people who write SQL: the columns stay while the table behind may change.';
