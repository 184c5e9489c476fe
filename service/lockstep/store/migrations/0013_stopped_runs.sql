-- 0013_stopped_runs: which runs were ended from outside.
-- Apply: before the code that writes it. Lock: access exclusive on `runs`, no rewrite, milliseconds.
-- Older code: ignores it; of what it ends, the sweep knows what was cancelled. Transaction: yes.

-- The runs that such a run has started end with it, also where nobody has told them.
alter table runs add column stopped boolean not null default false;
