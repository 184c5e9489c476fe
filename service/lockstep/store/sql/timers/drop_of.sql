-- Take away all timers of an automation, what its windows have counted, what its holds have kept.
-- :automation_id text
with counted as (delete from occurrences where automation_id = :automation_id),
     kept as (delete from hold_events where automation_id = :automation_id)
delete from timers where automation_id = :automation_id returning id;
