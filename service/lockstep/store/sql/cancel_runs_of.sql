-- Cancel the active runs of an automation: final status, fenced, without owner, live steps failed.
-- Locks: runs by id, then their frames. $1 automation id   $2 reason   $3 now
with active as (
    select id
      from runs
     where automation_id = $1 and status in ('pending', 'running', 'waiting')
     order by id
       for update
),
cancelled as (
    update runs r
       set status = 'cancelled', reason = $2, owner = null, epoch = r.epoch + 1, finished_at = $3
      from active
     where r.id = active.id
    returning r.*
),
dropped as (
    delete from run_frames f using cancelled c where f.run_id = c.id returning f.run_id, f.event_seq
),
steps as (
    update run_steps s
       set status = 'failed', error_message = 'cancelled', finished_at = $3
      from cancelled c
     where s.run_id = c.id and s.status in ('running', 'waiting')
)
select c.*, true as has_frames, coalesce(d.event_seq, 0) as event_seq, null::bytea as document
  from cancelled c
  left join dropped d on d.run_id = c.id
 order by c.position;
