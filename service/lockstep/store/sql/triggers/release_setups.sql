-- Give set-ups back.
-- :setups (automation_id text, trigger_id text)
-- :worker_id uuid
delete from sources s
 using unnest(:setups)
 where s.automation_id = setups.automation_id and s.trigger_id = setups.trigger_id
   and s.owner = :worker_id;
