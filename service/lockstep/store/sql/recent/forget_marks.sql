-- Forget up to where events are missing on which no version looks back any more.
-- Locks: the rows; what others have locked is passed over.
with asked as materialized (
    select distinct unnest(looks_back) as event_id
      from automation_versions
     where looks_back is not null
),
old as materialized (
    select event_id, topic
      from dropped_events d
     where not exists (select from asked a where a.event_id = d.event_id)
       for update skip locked
)
delete from dropped_events d
 using old o
 where d.event_id = o.event_id and d.topic = o.topic;
