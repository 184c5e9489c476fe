-- Take the runs of workers that are gone: their heartbeat is stale, or their row is no more.
-- $1 how many   $2 the worker   $3 seconds after which a heartbeat is stale
with orphans as (
    select id
      from runs
     where owner is not null
       and owner <> $2
       and not exists (
           select from workers w
            where w.id = runs.owner
              and w.heartbeat_at >= clock_timestamp() - make_interval(secs => $3)
       )
     order by id
     limit $1
       for update skip locked
),
taken as (
    update runs r
       set owner = $2, epoch = r.epoch + 1
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
