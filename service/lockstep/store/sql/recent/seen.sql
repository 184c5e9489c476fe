-- The rows of all events that waits may look back on, to be compared with what was judged of them.
-- Under the locks of their topics.
-- :looks (id uuid, topic bytea, event_id text, context_key text, run_id uuid, place text,
--     since_time timestamptz, since_sequence bigint, until_time timestamptz, until_sequence bigint)
select looks.id, e.position, e.time, e.sequence
  from unnest(:looks)
  join recent_events e on e.topic = looks.topic and e.event_id = looks.event_id
   and e.context_key is not distinct from looks.context_key
   and (e.time, e.sequence) > (looks.since_time, looks.since_sequence)
   and (e.time, e.sequence) <= (looks.until_time, looks.until_sequence)
 where not exists (
       select from taken_events t
        where t.run_id = looks.run_id and t.place = looks.place
          and t.time = e.time and t.sequence = e.sequence
       );
