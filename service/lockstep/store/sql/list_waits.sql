-- What a run waits for, in the order in which it began to. $1 run id
select id, action_path, kind, waiting_for, event_id, context_key, filter, warning, due_at, state,
       armed_at, fired_at
  from waits
 where run_id = $1
 order by id;
