CREATE INDEX "calls_settled" ON "calls" USING btree ("settled_at") WHERE "calls"."settled_at" is not null;
--> statement-breakpoint
-- The next status by its number, not by a window: a filter on the call then reads that call alone.
CREATE VIEW "reporting"."call_durations" AS
SELECT c.call_sid, c.account, t.seq, t.status,
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
  FROM "public"."transitions" t
  JOIN "public"."calls" c ON c.call_sid = t.call_sid
  LEFT JOIN "public"."transitions" n ON n.call_sid = t.call_sid AND n.seq = t.seq + 1
 WHERE n.seq IS NOT NULL OR c.outcome IS NULL OR c.outcome NOT IN ('success', 'failure');
--> statement-breakpoint
CREATE VIEW "reporting"."outcomes_hourly" AS
SELECT date_trunc('hour', registered_at, 'UTC') AS bucket, account, outcome,
       count(*) AS calls,
       count(settled_at) AS settled,
       count(*) FILTER (WHERE outcome = 'success') AS successes,
       count(*) FILTER (WHERE outcome = 'failure') AS failures,
       coalesce(sum(extract(epoch FROM settled_at - registered_at)), 0)::double precision AS seconds_to_settle,
       sum(polls)::bigint AS polls,
       sum(failed_polls)::bigint AS failed_polls
  FROM "public"."calls"
 GROUP BY 1, 2, 3;
--> statement-breakpoint
CREATE VIEW "reporting"."outcomes_daily" AS
SELECT date_trunc('day', registered_at, 'UTC') AS bucket, account, outcome,
       count(*) AS calls,
       count(settled_at) AS settled,
       count(*) FILTER (WHERE outcome = 'success') AS successes,
       count(*) FILTER (WHERE outcome = 'failure') AS failures,
       coalesce(sum(extract(epoch FROM settled_at - registered_at)), 0)::double precision AS seconds_to_settle,
       sum(polls)::bigint AS polls,
       sum(failed_polls)::bigint AS failed_polls
  FROM "public"."calls"
 GROUP BY 1, 2, 3;
--> statement-breakpoint
COMMENT ON SCHEMA "reporting" IS 'What people who write SQL may rely on; polykeep grant-reader makes roles that see this and nothing else.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."calls"."call_sid" IS 'PolyAI''s id of the call, opaque.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."calls"."account" IS 'The configured PolyAI account that is asked about the call.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."calls"."status" IS 'Last status PolyAI showed, lower-cased; null while PolyAI has shown none.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."calls"."outcome" IS 'How the call settled: success, failure, or, where PolyAI showed no end: not_found, lost, rejected, abandoned. Null while followed.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."calls"."reason" IS 'PolyAI''s reason with the last status; null where it gave none or an empty one.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."calls"."metadata" IS 'What the client gave when it registered the call: string to string.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."calls"."registered_at" IS 'When polykeep was told of the call.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."calls"."created_at" IS 'PolyAI''s created_at, where it gives one.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."calls"."last_updated" IS 'PolyAI''s newest last_updated, where it gives one.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."calls"."first_seen_at" IS 'First poll that PolyAI answered with a status.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."calls"."last_seen_at" IS 'Last poll that PolyAI answered with a status; while a call is followed it is written with transitions and leases, not with each poll.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."calls"."settled_at" IS 'The poll that settled the call; null while followed.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."calls"."polls" IS 'Polls of this call, failed ones included; written with transitions and leases.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."calls"."failed_polls" IS 'Polls that brought no status; written with transitions and leases.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."calls"."last_error" IS 'Why the last poll failed; null when it brought a status.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."transitions"."call_sid" IS 'The call that changed.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."transitions"."seq" IS 'Position within the call, from 1, without gaps.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."transitions"."status" IS 'The status that the call changed to, lower-cased.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."transitions"."reason" IS 'PolyAI''s reason with this status, the latest it gave; null where none or empty.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."transitions"."changed_after" IS 'Last successful poll before the change: it happened in (changed_after, observed_at]. Null for a first status.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."transitions"."observed_at" IS 'The poll that saw the change.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."transitions"."last_updated" IS 'PolyAI''s last_updated with this status, where it gives one.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."transitions"."payload" IS 'PolyAI''s answer as it came.';
--> statement-breakpoint
COMMENT ON VIEW "reporting"."call_durations" IS 'How long each call stayed in each status: one row per stay. The success or failure that ended a call is no stay.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."call_durations"."call_sid" IS 'PolyAI''s id of the call, opaque.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."call_durations"."account" IS 'The configured PolyAI account that is asked about the call.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."call_durations"."seq" IS 'Position of the status within the call, from 1: as in reporting.transitions.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."call_durations"."status" IS 'The status that the call stayed in, lower-cased.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."call_durations"."from_observed" IS 'The poll that first saw the status.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."call_durations"."to_observed" IS 'The poll that first saw the next status; null while the stay lasts, or where PolyAI showed no end.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."call_durations"."seconds" IS 'Between the two polls, from_observed to to_observed; null without an end.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."call_durations"."seconds_min" IS 'The stay took at least so long: from the poll that saw it begin to the last poll that still saw it. Null without an end.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."call_durations"."seconds_max" IS 'The stay took less than so long: from the last poll that saw the status before to the poll that saw the next. Null without an end, and for a first status, whose beginning no poll saw.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."call_durations"."polyai_from" IS 'PolyAI''s own last_updated with this status; null unless it gave one with the next status too.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."call_durations"."polyai_to" IS 'PolyAI''s own last_updated with the next status; null unless it gave one with this status too.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."call_durations"."polyai_seconds" IS 'Between PolyAI''s own two times, which may be whole seconds; null where it did not give both.';
--> statement-breakpoint
COMMENT ON VIEW "reporting"."outcomes_hourly" IS 'Calls by the hour (UTC) they were registered in, account and outcome. All but the first three columns can be summed over rows: a success rate is sum(successes) / (sum(successes) + sum(failures)).';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_hourly"."bucket" IS 'Start of the hour, in UTC, that the calls were registered in.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_hourly"."account" IS 'The configured PolyAI account of the calls.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_hourly"."outcome" IS 'How the calls settled: success, failure, not_found, lost, rejected or abandoned; null for those still followed.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_hourly"."calls" IS 'How many calls.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_hourly"."settled" IS 'How many of them are settled: the same as calls, or 0 where outcome is null.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_hourly"."successes" IS 'How many of them are a success: the same as calls, or 0.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_hourly"."failures" IS 'How many of them are a failure: the same as calls, or 0.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_hourly"."seconds_to_settle" IS 'Sum of the seconds from registration to the settle; divided by settled, the mean.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_hourly"."polls" IS 'Sum of the polls of these calls, failed ones included.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_hourly"."failed_polls" IS 'Sum of the polls that brought no status.';
--> statement-breakpoint
COMMENT ON VIEW "reporting"."outcomes_daily" IS 'Calls by the day (UTC) they were registered in, account and outcome. All but the first three columns can be summed over rows: a success rate is sum(successes) / (sum(successes) + sum(failures)).';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_daily"."bucket" IS 'Start of the day, in UTC, that the calls were registered in.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_daily"."account" IS 'The configured PolyAI account of the calls.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_daily"."outcome" IS 'How the calls settled: success, failure, not_found, lost, rejected or abandoned; null for those still followed.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_daily"."calls" IS 'How many calls.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_daily"."settled" IS 'How many of them are settled: the same as calls, or 0 where outcome is null.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_daily"."successes" IS 'How many of them are a success: the same as calls, or 0.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_daily"."failures" IS 'How many of them are a failure: the same as calls, or 0.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_daily"."seconds_to_settle" IS 'Sum of the seconds from registration to the settle; divided by settled, the mean.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_daily"."polls" IS 'Sum of the polls of these calls, failed ones included.';
--> statement-breakpoint
COMMENT ON COLUMN "reporting"."outcomes_daily"."failed_polls" IS 'Sum of the polls that brought no status.';
