-- Of the oldest marks beyond so many only the event id is remembered: up to there events of any key
-- may be missing.
-- Locks: marks of topics, where what others have locked is passed over; then those of whole event ids,
-- by id, which nobody else takes.
-- :most bigint
with numbered as (
    select event_id, topic, row_number() over (order by time desc, sequence desc) as number
      from dropped_events
     where topic <> ''
),
over as materialized (
    select d.event_id, d.topic
      from numbered n
      join dropped_events d on d.event_id = n.event_id and d.topic = n.topic
     where n.number > :most
       for update of d skip locked
),
gone as (
    delete from dropped_events d
     using over o
     where d.event_id = o.event_id and d.topic = o.topic
    returning d.event_id, d.time, d.sequence
),
newest as (
    select distinct on (event_id) event_id, time, sequence
      from gone
     order by event_id, time desc, sequence desc
)
insert into dropped_events (event_id, topic, time, sequence)
select event_id, '', time, sequence from newest order by event_id collate "C"
    on conflict (event_id, topic) do update
   set time = excluded.time, sequence = excluded.sequence
 where (dropped_events.time, dropped_events.sequence) < (excluded.time, excluded.sequence);
