-- What is due soon for triggers: the share of one worker, as of near_waits.
-- $1 the worker   $2 from   $3 until   $4 how many   $5 seconds after which a heartbeat is stale
with alive as (
    select id, row_number() over (order by id) - 1 as rank, count(*) over () as many
      from workers
     where heartbeat_at >= clock_timestamp() - make_interval(secs => $5)
)
select t.id, t.kind, t.due_at
  from timers t
 where t.due_at > $2
   and t.due_at <= $3
   and coalesce((select mod(abs(hashtext(t.id::text)::bigint), a.many) = a.rank
                   from alive a
                  where a.id = $1), true)
 order by t.due_at
 limit $4;
