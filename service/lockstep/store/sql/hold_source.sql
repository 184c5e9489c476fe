-- Whether a worker runs a set-up; nobody takes it until the end of the transaction.
-- $1 automation id   $2 trigger id   $3 worker
select true from sources
 where automation_id = $1 and trigger_id = $2 and owner = $3
   for share;
