-- Put timers aside that this worker cannot judge.
-- Locks: timers.
-- :timers (id uuid, reason text), :version text, :worker_id uuid
update timers m
   set parked_at = clock_timestamp(), parked_reason = timers.reason, parked_version = :version,
       parked_tried = :worker_id || array(
           select t from unnest(m.parked_tried) as t
            where t <> :worker_id and exists (select from workers where id = t)
       )
  from unnest(:timers)
 where m.id = timers.id and m.parked_at is null
returning m.id;
