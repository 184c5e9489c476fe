-- A run that is to be retried, with what it stood at if it failed, and how its automation is.
-- Not locked: what has ended changes no more. It goes with its automation, which is locked before a
-- run is launched, or by its age: see runs/lock_past.
-- :id uuid
select r.*, a.status as automation_status, false as has_frames, 0 as event_seq, f.document,
       coalesce(b.content, r.trigger_payload) as body
  from runs r
  left join automations a on a.id = r.automation_id
  left join bodies b on b.id = r.body_id
  left join failed_frames f on f.run_id = r.id
 where r.id = :id;
