-- Hold runs, in the one order, before several statements change some of them.
-- $1 run ids   $2 wait ids whose runs are held too
select id
  from runs
 where id in (
       select unnest($1::uuid[])
        union
       select run_id from waits where id = any ($2::uuid[])
       )
 order by id
   for update;
