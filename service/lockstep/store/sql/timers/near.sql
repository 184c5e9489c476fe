-- What is due soon for triggers: the share of one worker, as of waits/near.
-- :worker_id uuid, :since timestamptz, :until timestamptz, :limit bigint, :stale_seconds float8
with alive as (
    select id, row_number() over (order by id) - 1 as rank, count(*) over () as many
      from workers
     where heartbeat_at >= clock_timestamp() - make_interval(secs => :stale_seconds)
)
select t.id, t.kind, t.due_at
  from timers t
 where t.due_at > :since
   and t.due_at <= :until
   and coalesce((select mod(abs(hashtext(t.id::text)::bigint), a.many) = a.rank
                   from alive a
                  where a.id = :worker_id), true)
 order by t.due_at
 limit :limit;
