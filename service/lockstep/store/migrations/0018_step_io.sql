-- 0018_step_io: what went into a step and came out of it, for people.
-- Apply: before the code that writes it. Lock: access exclusive on `run_steps`, no rewrite,
-- milliseconds. Older code: keeps nothing, and a run that it retries begins without. Transaction: yes.

-- Lines of JSON, masked and cut as they were written; null: nothing is kept.
alter table run_steps add column io bytea;
