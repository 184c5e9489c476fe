-- Events that have been parked for too long.
-- :hours float8, :limit bigint
select id
  from parked_events
 where parked_at < clock_timestamp() - make_interval(secs => :hours * 3600)
 order by parked_at
 limit :limit;
