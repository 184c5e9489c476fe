-- Forget events that no wait can look back on: those that are too old, or that no version asks for.
-- Locks: the rows, by nobody else; what others have locked is passed over.
-- :before timestamptz, :limit bigint
with asked as materialized (
    select distinct unnest(looks_back) as event_id
      from automation_versions
     where looks_back is not null
),
old as materialized (
    select position
      from recent_events e
     where e.time < :before or not exists (select from asked a where a.event_id = e.event_id)
     limit :limit
       for update skip locked
),
gone as (
    delete from recent_events where position in (select position from old)
    returning size
),
less as (
    insert into recent_sizes (bytes) select -sum(size) from gone having count(*) > 0
)
select count(*) from gone;
