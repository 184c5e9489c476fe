-- The armed waits that events may satisfy, by the place of the event; filters are judged by us.
-- $1 topics   $2 event ids   $3 context keys
select n.place, w.id, w.run_id, w.filter, w.run_scope, w.action_path, w.warning, r.automation_id
  from unnest($1::bytea[], $2::text[], $3::text[])
       with ordinality as n (topic, event_id, context_key, place)
  join waits w on w.topic = n.topic and w.state = 'armed'
  join runs r on r.id = w.run_id
 where w.event_id = n.event_id and w.context_key is not distinct from n.context_key
 order by n.place, w.id;
