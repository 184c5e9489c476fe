-- Workers that have not said that they live, nor that they end.
-- :seconds float8, :limit bigint
select id::text || ' (' || name || ')' as name
  from workers
 where heartbeat_at < clock_timestamp() - make_interval(secs => :seconds)
 order by id
 limit :limit;
