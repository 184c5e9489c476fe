-- Take away all timers of an automation, and what its windows have counted.
-- :automation_id text
with counted as (delete from occurrences where automation_id = :automation_id)
delete from timers where automation_id = :automation_id returning id;
