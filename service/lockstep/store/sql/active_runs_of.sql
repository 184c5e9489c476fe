-- The active runs of an automation. $1 automation id
select id
  from runs
 where automation_id = $1 and status in ('pending', 'running', 'waiting')
 order by id;
