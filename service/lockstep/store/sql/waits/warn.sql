-- Keep why the filters of waits could not be judged. Nobody relies on it: one that is held is
-- passed over, because the order of locks asks for its run first.
-- Locks: waits, without their runs; what others have locked is passed over.
-- :warnings (id uuid, reason text)
with free as (
    select w.id, warnings.reason
      from unnest(:warnings)
      join waits w on w.id = warnings.id and w.state = 'armed'
     order by w.id
       for no key update of w skip locked
)
update waits w
   set warning = free.reason
  from free
 where w.id = free.id;
