-- Let timers be judged that are parked and that this worker has not tried: it does so now.
-- Locks: timers; what others have locked is passed over.
-- :limit bigint, :worker_id uuid
update timers
   set parked_at = null
 where id in (
       select id
         from timers
        where parked_at is not null and :worker_id <> all (parked_tried)
        order by parked_at
        limit :limit
          for no key update skip locked
       )
returning id, kind, due_at;
