-- In the order in which they began. $1 run id
select seq, action_path, action_id, action_kind, provider_action_id, status, attempts,
       error_message, result, started_at, finished_at
  from run_steps
 where run_id = $1
 order by seq;
