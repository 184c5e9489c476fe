-- Take holds that are due, each once: those of triggers that hold are locked by their key, those that
-- are stale go with whoever has them first.
-- Locks: timers, by id; what others have locked is passed over.
-- :ids uuid[], :now timestamptz
delete from timers
 where id in (
       select id
         from timers
        where id = any (:ids) and kind = 'hold' and due_at <= :now and parked_at is null
        order by id
          for update skip locked
       )
returning id;
