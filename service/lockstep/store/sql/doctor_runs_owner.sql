-- Runs that are executed by a worker which is not heard of. $1 seconds   $2 how many
select r.id::text as name
  from runs r
  left join workers w on w.id = r.owner
 where r.owner is not null
   and (w.id is null or w.heartbeat_at < clock_timestamp() - make_interval(secs => $1))
 order by r.id
 limit $2;
