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
       for no key update of r skip locked
),
freed as (
    update runs r
       set status = 'pending', owner = null, epoch = r.epoch + 1
      from mine
     where r.id = mine.id
    returning r.id, r.epoch
),
framed as (
    select run_id from run_frames
     where run_id in (select id from mine)
     order by run_id
       for no key update
),
fenced as (
    update run_frames f
       set epoch = freed.epoch
      from framed
      join freed on freed.id = framed.run_id
     where f.run_id = framed.run_id
)
select count(*) from freed;
