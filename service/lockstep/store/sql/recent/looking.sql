-- Waits that have not looked back yet, with the event that started their run, with what was dropped
-- of the events that they look for, and whether these are kept for the version at all.
-- :ids uuid[]
select w.id, w.run_id, w.filter, w.run_scope, w.action_path, w.warning, r.automation_id, w.topic,
       w.event_id, w.context_key, w.due_at, w.look_back, w.since_time, w.since_sequence,
       r.trigger_time, r.rank_sequence,
       d.time as dropped_time, d.sequence as dropped_sequence,
       coalesce(w.event_id = any (v.looks_back), false) as is_kept
  from waits w
  join runs r on r.id = w.run_id
  left join automation_versions v on v.automation_id = r.automation_id and v.version = r.version
  left join lateral (
       select time, sequence
         from dropped_events
        where event_id = w.event_id and topic in (w.topic, '')
        order by time desc, sequence desc
        limit 1
       ) as d on true
 where w.id = any (:ids) and w.state = 'looking'
 order by w.id;
