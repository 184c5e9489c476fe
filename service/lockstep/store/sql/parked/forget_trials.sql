-- This worker knows more than before: it tries again what it could not handle.
-- Locks: runs, waits, timers, the outbox, set-ups, parked events.
-- :worker_id uuid
with runs_again as (
    update runs set parked_tried = array_remove(parked_tried, :worker_id)
     where parked_at is not null and status = 'waiting' and :worker_id = any (parked_tried)
),
waits_again as (
    update waits set parked_tried = array_remove(parked_tried, :worker_id)
     where state = 'parked' and :worker_id = any (parked_tried)
),
timers_again as (
    update timers set parked_tried = array_remove(parked_tried, :worker_id)
     where parked_at is not null and :worker_id = any (parked_tried)
),
setups_again as (
    update sources set parked_tried = array_remove(parked_tried, :worker_id)
     where parked_at is not null and :worker_id = any (parked_tried)
),
events as materialized (
    select id
      from parked_events
     where :worker_id = any (parked_tried)
     order by id
       for no key update
)
update parked_events set parked_tried = array_remove(parked_tried, :worker_id)
 where id in (select id from events);
