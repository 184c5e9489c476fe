-- Hold runs, in the one order, before several statements change some of them.
-- Locks: runs by id.
-- :run_ids uuid[]
-- :wait_ids uuid[]: wait ids whose runs are locked too
select id
  from runs
 where id in (
       select unnest(:run_ids)
        union
       select run_id from waits where id = any (:wait_ids)
       )
 order by id
   for no key update;
