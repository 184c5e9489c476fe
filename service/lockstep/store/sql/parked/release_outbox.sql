-- Let rows be published that are parked and that this worker has not tried: it does so now.
-- Locks: rows of the outbox; what others have locked is passed over.
-- :limit bigint, :worker_id uuid
update outbox
   set parked_at = null
 where (topic, seq) in (
       select topic, seq
         from outbox
        where parked_at is not null and :worker_id <> all (parked_tried)
        order by topic, seq
        limit :limit
          for no key update skip locked
       )
returning topic;
