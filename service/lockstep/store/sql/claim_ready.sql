-- Take runs that wait for a place, in the order of the stream.
-- $1 how many   $2 the worker   $3 now
with ready as (
    select id
      from runs
     where status = 'pending'
     order by rank_time, rank_sequence, position
     limit $1
       for update skip locked
),
taken as (
    update runs r
       set status = 'running', owner = $2, epoch = r.epoch + 1,
           started_at = coalesce(r.started_at, $3)
      from ready
     where r.id = ready.id
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
