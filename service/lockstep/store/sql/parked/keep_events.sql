-- Note that this worker cannot judge parked events either.
-- Locks: parked events.
-- :events (id uuid, reason text), :version text, :worker_id uuid
update parked_events e
   set parked_reason = events.reason, parked_version = :version,
       parked_tried = :worker_id || array(
           select t from unnest(e.parked_tried) as t
            where t <> :worker_id and exists (select from workers where id = t)
       )
  from unnest(:events)
 where e.id = events.id;
