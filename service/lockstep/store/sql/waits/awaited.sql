-- The armed waits that events may satisfy, by the place of the event; filters are judged by us.
-- :events (topic bytea, id text, context_key text)
select events.place, w.id, w.run_id, w.filter, w.run_scope, w.action_path, w.warning,
       r.automation_id
  from unnest(:events) with ordinality
  join waits w on w.topic = events.topic and w.state = 'armed'
  join runs r on r.id = w.run_id
 where w.event_id = events.id and w.context_key is not distinct from events.context_key
 order by events.place, w.id;
