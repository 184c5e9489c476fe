-- Drop the oldest events beyond so many bytes, and remember up to where those of a topic may be
-- missing.
-- Locks: the rows, where what others have locked is passed over; the marks by event id and topic.
-- :most_bytes bigint, :limit bigint
with sized as (
    select position, sum(size) over (
               order by time desc, sequence desc, position desc
           ) as bytes
      from recent_events
),
over as materialized (
    select e.position
      from sized s
      join recent_events e on e.position = s.position
     where s.bytes > :most_bytes
     order by e.time, e.sequence, e.position
     limit :limit
       for update of e skip locked
),
gone as (
    delete from recent_events where position in (select position from over)
    returning event_id, topic, time, sequence
),
newest as (
    select distinct on (event_id, topic) event_id, topic, time, sequence
      from gone
     order by event_id, topic, time desc, sequence desc
),
noted as (
    insert into dropped_events (event_id, topic, time, sequence)
    select event_id, topic, time, sequence from newest order by event_id collate "C", topic
        on conflict (event_id, topic) do update
       set time = excluded.time, sequence = excluded.sequence
     where (dropped_events.time, dropped_events.sequence) < (excluded.time, excluded.sequence)
)
select event_id, count(*) as events, max(time) as until
  from gone
 group by event_id
 order by event_id;
