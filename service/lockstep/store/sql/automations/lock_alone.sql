-- Lock an automation that is about to go, or whose holds and schedules are about to change.
-- Locks: the automation, against all others: nothing is launched, nothing held until the end.
-- :id text
select id from automations where id = :id for update;
