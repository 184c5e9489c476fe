-- Parked events that this worker has not tried, the longest parked first.
-- :limit bigint, :worker_id uuid
select id
  from parked_events
 where :worker_id <> all (parked_tried)
 order by parked_at, id
 limit :limit;
