-- Timers, to be judged; in the order in which their schedules are moved then. As many of the first
-- ones as have 4 MiB of events, or one.
-- :ids uuid[]
select id, kind, automation_id, trigger_id, context_key, event, schedule, last_value, due_at
  from (
       select t.*, row_number() over (order by t.id) as place,
              sum(coalesce(octet_length(t.event), 0)) over (order by t.id) as bytes
         from timers t
        where t.id = any (:ids) and t.parked_at is null
       ) as found
 where bytes <= 4194304 or place = 1
 order by id;
