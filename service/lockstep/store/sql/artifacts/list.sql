-- The artifacts of a run, by creation.
-- :run_id uuid
select id, run_id, action_id, artifact_type, data, context_key, closed_at, created_at
  from artifacts
 where run_id = :run_id
 order by position;
