-- Let waits be fired, or look back, that are parked and that this worker has not tried: it does so
-- now, or with the next sweep. One that looks back does so anew: events may have come meanwhile.
-- Locks: waits; what others have locked is passed over.
-- :limit bigint, :worker_id uuid
update waits
   set state = case when look_back is null then 'armed' else 'looking' end,
       parked_at = null
 where id in (
       select id
         from waits
        where state = 'parked' and :worker_id <> all (parked_tried)
        order by parked_at
        limit :limit
          for no key update skip locked
       )
returning id, kind, due_at;
