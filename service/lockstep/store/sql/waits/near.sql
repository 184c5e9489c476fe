-- What is due soon: the share of one worker. Each wait has one worker, by rank among the living;
-- if that one dies the alarm of the bus or the sweep wakes instead.
-- :worker_id uuid, :since timestamptz, :until timestamptz, :limit bigint
-- :stale (id uuid, heartbeat_at timestamptz): workers that are taken for dead, with their last beat
with alive as (
    select w.id, row_number() over (order by w.id) - 1 as rank, count(*) over () as many
      from workers w
     where not exists (
           select from unnest(:stale) where stale.id = w.id and stale.heartbeat_at = w.heartbeat_at
           )
)
select w.id, w.run_id, w.kind, w.due_at
  from waits w
 where w.state = 'armed'
   and w.due_at > :since
   and w.due_at <= :until
   and coalesce((select mod(abs(hashtext(w.id::text)::bigint), a.many) = a.rank
                   from alive a
                  where a.id = :worker_id), true)
 order by w.due_at
 limit :limit;
