-- Forget up to where events were dropped, where no wait looks back so far any more, or on such events.
-- Locks: the rows; what others have locked is passed over.
-- :before timestamptz
with asked as materialized (
    select distinct unnest(looks_back) as event_id
      from automation_versions
     where looks_back is not null
),
old as materialized (
    select event_id, topic
      from dropped_events d
     where d.time < :before or not exists (select from asked a where a.event_id = d.event_id)
       for update skip locked
)
delete from dropped_events d
 using old o
 where d.event_id = o.event_id and d.topic = o.topic;
