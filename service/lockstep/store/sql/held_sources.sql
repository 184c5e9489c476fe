-- The set-ups that a worker runs. $1 worker
select automation_id, trigger_id from sources where owner = $1;
