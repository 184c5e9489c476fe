-- Drop the oldest events beyond so many bytes, and remember up to where those of a topic may be
-- missing. What there is, is counted; as many of the oldest are read as may be dropped, or none.
-- Of those that do so at the same time one has its turn (advisory lock): else each would drop what is too
-- much. Who has it next may not see yet what the last one has counted: then it counts less than there is.
-- Locks: the turn, if it is free; the counts, and the rows, where what others have locked is passed
-- over; the marks by event id and topic.
-- :most_bytes bigint, :limit bigint
with turn as materialized (
    select pg_try_advisory_xact_lock(hashtextextended('recent/drop', 9)) as is_mine
),
mine as materialized (
    select id from recent_sizes where (select is_mine from turn) for update skip locked
),
counted as (
    delete from recent_sizes where id in (select id from mine) returning bytes
),
all_bytes as materialized (
    select coalesce(sum(bytes), 0) as bytes from counted
),
oldest as materialized (
    select position, time, sequence, size
      from recent_events
     where (select bytes from all_bytes) > :most_bytes
     order by time, sequence, position
     limit :limit
       for update skip locked
),
over as (
    select position
      from (
           select position, sum(size) over (order by time, sequence, position) - size as older
             from oldest
           ) as sized
     where older < (select bytes from all_bytes) - :most_bytes
),
gone as (
    delete from recent_events where position = any (array(select position from over))
    returning event_id, topic, time, sequence, size
),
less as (
    insert into recent_sizes (bytes)
    select all_bytes.bytes - (select coalesce(sum(size), 0) from gone)
      from all_bytes
     where exists (select from counted)
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
