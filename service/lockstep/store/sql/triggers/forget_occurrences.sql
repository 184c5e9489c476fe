-- Counters whose last occurrence is out of its window, also for events that are parked.
-- Locks: what others have locked is passed over: a counter that is counted on just now.
-- :before timestamptz, :limit bigint
delete from occurrences
 where (automation_id, trigger_id, partition) in (
       select automation_id, trigger_id, partition
         from occurrences o
        where expires_at < :before
          and not exists (
              select from parked_events p
               where p.automation_id = o.automation_id
                 and (p.time is null or p.time < o.expires_at)
              )
        order by expires_at
        limit :limit
          for update of o skip locked
       );
