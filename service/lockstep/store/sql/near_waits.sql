-- What is due soon: the share of one worker. Each wait has one worker, by rank among the living;
-- if that one dies the alarm of the bus or the sweep wakes instead.
-- $1 the worker   $2 from   $3 until   $4 how many   $5 seconds after which a heartbeat is stale
with alive as (
    select id, row_number() over (order by id) - 1 as rank, count(*) over () as many
      from workers
     where heartbeat_at >= clock_timestamp() - make_interval(secs => $5)
)
select w.id, w.run_id, w.kind, w.due_at
  from waits w
 where w.state = 'armed'
   and w.due_at > $2
   and w.due_at <= $3
   and coalesce((select mod(abs(hashtext(w.id::text)::bigint), a.many) = a.rank
                   from alive a
                  where a.id = $1), true)
 order by w.due_at
 limit $4;
