-- Note that this worker cannot judge parked events either.
-- Locks: parked events by id.
-- :events (id uuid, reason text), :version text, :worker_id uuid
with kept as materialized (
    select e.id, events.reason
      from parked_events e
      join unnest(:events) on events.id = e.id
     order by e.id
       for no key update of e
)
update parked_events e
   set parked_reason = kept.reason, parked_version = :version,
       parked_tried = :worker_id || array(
           select t from unnest(e.parked_tried) as t
            where t <> :worker_id and exists (select from workers where id = t)
       )
  from kept
 where e.id = kept.id;
