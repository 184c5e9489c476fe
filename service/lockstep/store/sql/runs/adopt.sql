-- Take the runs of workers that are gone: their heartbeat is stale, or their row is no more.
-- The first parts step from owner to owner along the index, so that the cost is that of the owners
-- and not of all runs that are kept, whatever the planner knows of them.
-- Locks: runs, then their frames; what others have locked is passed over.
-- :limit bigint, :worker_id uuid, :stale_seconds float8
with recursive owners as (
    (select owner from runs where owner is not null order by owner limit 1)
    union all
    select (select r.owner from runs r where r.owner > o.owner order by r.owner limit 1)
      from owners o
     where o.owner is not null
),
dead as materialized (
    select o.owner
      from owners o
     where o.owner is not null
       and o.owner <> :worker_id
       and not exists (
           select from workers w
            where w.id = o.owner
              and w.heartbeat_at >= clock_timestamp() - make_interval(secs => :stale_seconds)
       )
),
candidates as materialized (
    select r.id
      from dead d
     cross join lateral (
           select id from runs where owner = d.owner order by owner limit :limit
           ) as r
     limit :limit
),
orphans as (
    select id
      from runs
     where id in (select id from candidates) and owner in (select owner from dead)
     order by id
       for update skip locked
),
taken as (
    update runs r
       set owner = :worker_id, epoch = r.epoch + 1
      from orphans
     where r.id = orphans.id
    returning r.*
),
fenced as (
    update run_frames f
       set epoch = taken.epoch
      from taken
     where f.run_id = taken.id
    returning f.run_id, f.event_seq, f.document
)
select taken.*, fenced.run_id is not null as has_frames, fenced.event_seq, fenced.document
  from taken
  left join fenced on fenced.run_id = taken.id
 order by taken.rank_time, taken.rank_sequence, taken.position;
