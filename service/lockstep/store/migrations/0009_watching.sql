-- 0009_watching: what is counted for whoever watches, and closed artifacts that are old.
-- Apply: at any time. Lock: `waits` and `artifacts` for the time it takes to build an index each.
-- Older code: does not notice. Transaction: yes.

-- How many sleep for what: counted without a look at the rows.
create index waits_by_kind on waits (kind) where state = 'armed';
-- Artifacts that were closed after their run was forgotten.
create index artifacts_closed on artifacts (closed_at) where closed_at is not null;
