-- One thing that is parked.
-- :id text
select kind, id, automation_id, run_id, event_id, parked_at, parked_reason, parked_version
  from parked
 where id = :id;
