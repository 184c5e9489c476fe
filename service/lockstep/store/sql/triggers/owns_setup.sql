-- Whether a worker runs a set-up; nobody takes it until the end of the transaction.
-- Locks: the set-up, shared.
-- :automation_id text, :trigger_id text, :worker_id uuid
select true from sources
 where automation_id = :automation_id and trigger_id = :trigger_id and owner = :worker_id
   for share;
