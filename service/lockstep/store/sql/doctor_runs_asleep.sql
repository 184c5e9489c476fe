-- Runs that sleep without a wait, be it armed or fired. $1 (seconds: all of them)   $2 how many
select r.id::text as name
  from runs r
 where r.status = 'waiting' and $1::float8 is not null
   and not exists (select from waits w where w.run_id = r.id and w.kind <> 'deadline')
 order by r.id
 limit $2;
