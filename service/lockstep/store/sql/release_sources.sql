-- Give set-ups back. $1 automation ids   $2 trigger ids   $3 worker
delete from sources s
 using unnest($1::text[], $2::text[]) as n (automation_id, trigger_id)
 where s.automation_id = n.automation_id and s.trigger_id = n.trigger_id and s.owner = $3;
