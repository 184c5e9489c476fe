-- The set-ups that a worker runs.
-- :worker_id uuid
select automation_id, trigger_id from sources where owner = :worker_id;
