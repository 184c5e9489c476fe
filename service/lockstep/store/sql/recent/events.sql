-- Events that a wait may look back on, oldest first, behind one of them: as many as have 1 MiB, or
-- one.
-- :topic bytea, :event_id text, :context_key text
-- :run_id uuid, :place text: what this action of the run has taken is left out
-- :after_time timestamptz, :after_sequence bigint, :after_position bigint
-- :until timestamptz
select position, time, sequence, delivery, message_id, actor, hop, body
  from (
       select e.*, sum(e.size) over in_turn as bytes, row_number() over in_turn as number
         from recent_events e
        where e.topic = :topic and e.event_id = :event_id
          and e.context_key is not distinct from :context_key
          and (e.time, e.sequence, e.position) > (:after_time, :after_sequence, :after_position)
          and e.time <= :until
          and not exists (
              select from taken_events t
               where t.run_id = :run_id and t.place = :place
                 and t.time = e.time and t.sequence = e.sequence
              )
       window in_turn as (order by e.time, e.sequence, e.position)
       ) as found
 where bytes <= 1048576 or number = 1
 order by time, sequence, position
 limit 200;
