-- The run that a step has started.
-- :run_id uuid, :path text
select id, status from runs where parent_run_id = :run_id and parent_path = :path;
