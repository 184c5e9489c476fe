-- Runs that are executed by a worker which is not heard of.
-- :seconds float8, :limit bigint
select r.id::text as name
  from runs r
  left join workers w on w.id = r.owner
 where r.owner is not null
   and (w.id is null or w.heartbeat_at < clock_timestamp() - make_interval(secs => :seconds))
 order by r.id
 limit :limit;
