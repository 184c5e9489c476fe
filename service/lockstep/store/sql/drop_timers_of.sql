-- Take away all timers of an automation, and what its windows have counted. $1 automation id
with counted as (delete from occurrences where automation_id = $1)
delete from timers where automation_id = $1 returning id;
