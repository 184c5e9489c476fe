-- The run that a step has started. $1 run id   $2 step path
select id, status from runs where parent_run_id = $1 and parent_path = $2;
