-- 0019_why: what `lockstep why` needs to tell why an event did not end a wait.
-- Apply: before the code that writes it. Lock: access exclusive on judgements and receipts, no
-- rewrite, milliseconds. Older code: writes none of it; of what it handles `why` says less.
-- Transaction: yes.

-- The run that an event has woken, or that waits on, and the step of it that waits.
alter table judgements add column run_id uuid;
alter table judgements add column action_path text;

-- Of the event, cut; empty: it has none. Null: handled before there was the column.
alter table receipts add column context_key text;
