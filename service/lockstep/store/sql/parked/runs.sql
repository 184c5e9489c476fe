-- Put runs aside that this worker cannot read: they have no owner, and sleep until a replica takes
-- them that has not tried. Only what is still ours, in the epoch that was read; a walk of it, if
-- there is one, writes no more.
-- Locks: runs by id, then their frames.
-- :runs (id uuid, epoch integer, reason text), :version text, :worker_id uuid
with owned as (
    select r.id, runs.reason
      from runs r
      join unnest(:runs) on runs.id = r.id and runs.epoch = r.epoch
     where r.owner = :worker_id
     order by r.id
       for no key update of r
),
parked as (
    update runs r
       set status = 'waiting', owner = null, epoch = r.epoch + 1, parked_at = clock_timestamp(),
           parked_reason = owned.reason, parked_version = :version,
           parked_tried = :worker_id || array(
               select t from unnest(r.parked_tried) as t
                where t <> :worker_id and exists (select from workers where id = t)
           )
      from owned
     where r.id = owned.id
    returning r.id, r.epoch, r.automation_id, r.parked_reason
),
fenced as (
    update run_frames f set epoch = parked.epoch from parked where f.run_id = parked.id
)
select id, automation_id, parked_reason from parked;
