-- Let waits be fired that are parked and that this worker has not tried: it does so now.
-- Locks: waits; what others have locked is passed over.
-- :limit bigint, :worker_id uuid
update waits
   set state = 'armed', parked_at = null
 where id in (
       select id
         from waits
        where state = 'parked' and :worker_id <> all (parked_tried)
        order by parked_at
        limit :limit
          for no key update skip locked
       )
returning id, kind, due_at;
