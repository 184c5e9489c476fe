-- Artifacts that were closed long ago and whose run is forgotten.
-- Locks: artifacts; what others have locked is passed over.
-- :before timestamptz, :limit bigint
delete from artifacts
 where id = any (array(
       select a.id
         from artifacts a
        where a.closed_at < :before and not exists (select from runs r where r.id = a.run_id)
        order by a.closed_at
        limit :limit
          for update of a skip locked
       ));
