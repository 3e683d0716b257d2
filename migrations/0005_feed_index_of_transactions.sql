-- The migrations that follow in this transaction lock calls; whoever writes locks calls first, and transitions then.
LOCK TABLE "calls" IN ACCESS EXCLUSIVE MODE;
--> statement-breakpoint
-- Before the other goes: readers wait for what is dropped, and not while this is built.
CREATE INDEX "transitions_by_transaction" ON "transitions" USING btree ("xid");
--> statement-breakpoint
DROP INDEX "transitions_in_commit_order";
