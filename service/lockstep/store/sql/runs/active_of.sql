-- The active runs of an automation.
-- :automation_id text
select id
  from runs
 where automation_id = :automation_id and status in ('pending', 'running', 'waiting')
 order by id;
