-- Workers that have not said that they live, nor that they end. $1 seconds   $2 how many
select id::text || ' (' || name || ')' as name
  from workers
 where heartbeat_at < clock_timestamp() - make_interval(secs => $1)
 order by id
 limit $2;
