-- Let the first of each queue go where nothing that it waits for is active. Under their locks.
-- One that is held is about to end, with all that are before the mode of its automation now: who
-- deletes or replaces runs needs no lock of their queues.
-- Locks: runs; what others have locked is passed over.
-- :queue_keys text[]
with heads as (
    select head.id
      from unnest(:queue_keys) as g (gate)
     cross join lateral (
           select q.id, q.automation_id, q.context_key
             from runs q
            where q.gate = g.gate and q.queued
            order by q.rank_time, q.rank_sequence, q.position
            limit 1
           ) as head
     where not exists (
           select from runs r
            where r.automation_id = head.automation_id
              and (g.gate = head.automation_id
                   or r.context_key is not distinct from head.context_key)
              and not r.queued
              and r.status in ('pending', 'running', 'waiting')
           )
),
free as (
    select id
      from runs
     where id in (select id from heads) and queued
       for no key update skip locked
)
update runs r
   set queued = false
  from free
 where r.id = free.id
returning r.id;
