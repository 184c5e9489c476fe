-- The armed waits that events may satisfy, by the place of the event; filters are judged by us. One
-- that is later than the deadline of a wait does not, though nobody has expired the wait yet. As
-- many of the first ones as have 4 MiB of scopes, or one; `follows` says that there are more.
-- :events (topic bytea, id text, context_key text, time timestamptz)
-- :after_place bigint, :after_id uuid: the last one of those before
select place, id, run_id, filter, run_scope, action_path, warning, automation_id,
       since_time, since_sequence, number < seen as follows
  from (
       select events.place, w.id, w.run_id, w.filter, w.run_scope, w.action_path, w.warning,
              w.since_time, w.since_sequence, r.automation_id, row_number() over in_turn as number, count(*) over () as seen,
              sum(coalesce(octet_length(w.run_scope), 0)) over in_turn as bytes
         from unnest(:events) with ordinality
         join waits w on w.topic = events.topic and w.state = 'armed'
         join runs r on r.id = w.run_id
        where w.event_id = events.id and w.context_key is not distinct from events.context_key
          and (w.due_at is null or events.time <= w.due_at)
          and (events.place, w.id) > (:after_place, :after_id)
       window in_turn as (order by events.place, w.id)
       ) as found
 where bytes <= 4194304 or number = 1
 order by place, id;
