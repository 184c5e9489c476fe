-- Active runs: executed, ready for a place, queued for their turn, waiting for something.
select count(*) filter (where status = 'running') as running,
       count(*) filter (where status = 'pending' and not queued) as ready,
       count(*) filter (where queued) as queued,
       count(*) filter (where status = 'waiting') as waiting,
       extract(epoch from clock_timestamp()
           - min(created_at) filter (where status = 'pending' and not queued)
       )::float8 as oldest_ready_seconds
  from runs
 where status in ('pending', 'running', 'waiting');
