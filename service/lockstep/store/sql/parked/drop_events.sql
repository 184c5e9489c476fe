-- Parked events that were judged, or have become dead letters.
-- Locks: automations, shared, as whoever changes or deletes one locks it before its parked events;
-- then those.
-- :ids uuid[]
with asking as materialized (
    select id
      from automations
     where id in (select automation_id from parked_events where id = any (:ids))
     order by id collate "C"
       for key share
),
locked as materialized (
    select id
      from parked_events
     where id = any (:ids) and automation_id in (select id from asking)
     order by id
       for update
)
delete from parked_events where id in (select id from locked) returning id;
