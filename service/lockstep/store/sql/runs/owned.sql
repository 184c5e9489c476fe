-- The runs of a worker, each with its epoch.
-- :worker_id uuid
select id, epoch from runs where owner = :worker_id;
