-- Waits that have not looked back yet, with the event that started their run, and with what was
-- dropped of the events that they look for.
-- :ids uuid[]
select w.id, w.run_id, w.filter, w.run_scope, w.action_path, w.warning, r.automation_id, w.topic,
       w.event_id, w.context_key, w.due_at, w.look_back, r.trigger_time, r.rank_sequence,
       d.time as dropped_time, d.sequence as dropped_sequence
  from waits w
  join runs r on r.id = w.run_id
  left join dropped_events d on d.event_id = w.event_id
 where w.id = any (:ids) and w.state = 'looking'
 order by w.id;
