-- Close artifacts that actions have consumed: rare, so it is no part of each checkpoint.
-- Locks: artifacts, by id.
-- :consumed (id uuid, at timestamptz)
with open as (
    select a.id, consumed.at
      from unnest(:consumed)
      join artifacts a on a.id = consumed.id and a.closed_at is null
     order by a.id
       for no key update of a
)
update artifacts a
   set closed_at = open.at
  from open
 where a.id = open.id;
