-- No run can be launched from here on: who launches locks the row `for key share`.
-- Locks: the automation, for good; it is held alone. Parked events by id: the cascade, which comes
-- at the end of the statement, would lock them in an order of its own.
-- :id text
with parked as materialized (
    select id from parked_events where automation_id = :id order by id for update
),
gone as (
    delete from parked_events where id in (select id from parked)
)
delete from automations where id = :id;
