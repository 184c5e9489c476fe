-- Put waits aside that this worker cannot fire.
-- Locks: waits.
-- :waits (id uuid, reason text), :version text, :worker_id uuid
update waits w
   set state = 'parked', parked_at = clock_timestamp(), parked_reason = waits.reason,
       parked_version = :version,
       parked_tried = :worker_id || array(
           select t from unnest(w.parked_tried) as t
            where t <> :worker_id and exists (select from workers where id = t)
       )
  from unnest(:waits)
 where w.id = waits.id and w.state in ('armed', 'looking')
returning w.id;
