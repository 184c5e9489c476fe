-- Put a row aside that the bus refuses for what it is; later ones of its topic stay behind it.
-- Locks: the row.
-- :topic text, :seq bigint, :reason text, :version text, :worker_id uuid
update outbox o
   set parked_at = clock_timestamp(), parked_reason = :reason, parked_version = :version,
       parked_tried = :worker_id || array(
           select t from unnest(o.parked_tried) as t
            where t <> :worker_id and exists (select from workers where id = t)
       )
 where topic = :topic and seq = :seq;
