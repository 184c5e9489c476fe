-- Forget parked events for waits that have fired meanwhile, or are gone with their runs: nobody asks
-- for them any more.
-- Locks: parked events; what others have locked is passed over.
-- :limit bigint
delete from parked_events
 where id in (
       select e.id
         from parked_events e
        where e.wait_id is not null
          -- Looked up for each: there may be many waits, and few parked events.
          and coalesce((select w.state = 'fired' from waits w where w.id = e.wait_id), true)
        limit :limit
          for update skip locked
       )
returning id;
