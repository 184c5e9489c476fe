-- Give up runs that a worker owns and does not walk; they are ready, and whoever has a place goes on.
-- One that has moved on, or that somebody has locked, is left as it is.
-- Locks: runs by id, then their frames.
-- :given (id uuid, epoch integer), :worker_id uuid
with mine as (
    select r.id
      from runs r
      join unnest(:given) on given.id = r.id
     where r.owner = :worker_id and r.epoch = given.epoch
     order by r.id
       for update of r skip locked
),
freed as (
    update runs r
       set status = 'pending', owner = null, epoch = r.epoch + 1
      from mine
     where r.id = mine.id
    returning r.id, r.epoch
),
fenced as (
    update run_frames f
       set epoch = freed.epoch
      from freed
     where f.run_id = freed.id
)
select count(*) from freed;
