-- The steps of a run, in the order in which they began.
-- :run_id uuid
select seq, action_path, action_id, action_kind, provider_action_id, status, attempts,
       error_message, result, started_at, finished_at, io
  from run_steps
 where run_id = :run_id
 order by seq;
