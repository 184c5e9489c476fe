-- A page of artifacts that are old and whose run is forgotten: they were open when it was, by a
-- version that kept those. Ids tell when artifacts were made.
-- Locks: artifacts; what others have locked is passed over.
-- :before_id uuid, :after_id uuid, :limit bigint
with old as materialized (
    select a.id, not exists (select from runs r where r.id = a.run_id) as is_left
      from artifacts a
     where a.id > :after_id and a.id < :before_id
     order by a.id
     limit :limit
       for update of a skip locked
),
gone as (
    delete from artifacts where id = any (array(select id from old where is_left))
)
select count(*) as looked, max(id::text) as last from old;
