-- What is due soon for triggers: the share of one worker, as of waits/near.
-- :worker_id uuid, :since timestamptz, :until timestamptz, :limit bigint
-- :stale (id uuid, heartbeat_at timestamptz): workers that are taken for dead, with their last beat
with alive as (
    select w.id, row_number() over (order by w.id) - 1 as rank, count(*) over () as many
      from workers w
     where not exists (
           select from unnest(:stale) where stale.id = w.id and stale.heartbeat_at = w.heartbeat_at
           )
)
select t.id, t.kind, t.due_at
  from timers t
 where t.due_at > :since and t.parked_at is null
   and t.due_at <= :until
   and coalesce((select mod(abs(hashtext(t.id::text)::bigint), a.many) = a.rank
                   from alive a
                  where a.id = :worker_id), true)
 order by t.due_at
 limit :limit;
