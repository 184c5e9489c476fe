-- Timers, to be judged; in the order in which their schedules are moved then.
-- :ids uuid[]
select id, kind, automation_id, trigger_id, context_key, event, schedule, last_value, due_at
  from timers
 where id = any (:ids)
 order by id;
