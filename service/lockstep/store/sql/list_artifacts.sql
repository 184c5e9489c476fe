-- By creation. $1 run id
select id, run_id, action_id, artifact_type, data, context_key, closed_at, created_at
  from artifacts
 where run_id = $1
 order by position;
