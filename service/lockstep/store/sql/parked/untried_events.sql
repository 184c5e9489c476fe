-- Parked events that this worker has not tried, the longest parked first. Those for automations that
-- are disabled, or whose definition is gone, wait: nobody can be asked.
-- :limit bigint, :worker_id uuid
select e.id
  from parked_events e
  join automations a on a.id = e.automation_id
 where :worker_id <> all (e.parked_tried)
   and (e.wait_id is not null or a.status = 'enabled' and exists (
            select from automation_versions v where v.automation_id = a.id and v.version = a.version
       ))
 order by e.parked_at, e.id
 limit :limit;
