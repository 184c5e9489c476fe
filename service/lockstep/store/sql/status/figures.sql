-- How much there is of what moves, in all replicas: for whoever watches. Each count goes along an
-- index that has nothing else in it; the outbox is counted up to the limit, because it grows while
-- the bus is away.
-- :limit bigint
select (select count(*) from runs where owner is not null) as running,
       (select count(*) from runs where status = 'pending' and not queued) as ready,
       (select count(*) from runs where queued) as queued,
       (select count(*) from runs where status in ('pending', 'running', 'waiting')) as active,
       (select coalesce(json_object_agg(kind, number), '{}')
          from (select kind, count(*) as number from waits where state = 'armed' group by kind)
            as armed) as waits,
       (select coalesce(json_object_agg(kind, number), '{}')
          from (select kind, count(*) as number from parked group by kind) as set_aside) as parked,
       (select count(*)
          from (select from outbox order by created_at limit :limit) as first_ones) as outbox,
       (select coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8
          from outbox) as outbox_oldest_seconds;
