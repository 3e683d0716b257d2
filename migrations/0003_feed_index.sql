-- In the order in which writers take them: all that lock these tables run in one transaction, and would deadlock.
LOCK TABLE "calls", "transitions" IN SHARE MODE;
--> statement-breakpoint
CREATE INDEX "transitions_in_commit_order" ON "transitions" USING btree ("xid","call_sid","seq");