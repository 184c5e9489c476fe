-- Run events that are not published yet.
select count(*) as events,
       extract(epoch from clock_timestamp() - min(created_at))::float8 as oldest_seconds
  from outbox;
