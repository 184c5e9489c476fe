-- 0006_failed_frames: what failed runs stood at, so that they can be retried from there.
-- Apply: before the code that writes it. Lock: none, it is new. Older code: never looks at it; what
-- fails under it can be retried from the start only. Transaction: yes.

-- The document of run_frames as it was at the end. It goes with the history of the run.
create table failed_frames (
    run_id uuid primary key,
    document bytea not null
);
