-- Replicas, the oldest first, each with the runs that it owns.
select w.id, w.name, w.engine_version, w.started_at, w.heartbeat_at,
       extract(epoch from clock_timestamp() - w.heartbeat_at)::float8 as silent_seconds,
       (select count(*) from runs r where r.owner = w.id) as runs
  from workers w
 order by w.started_at, w.id;
