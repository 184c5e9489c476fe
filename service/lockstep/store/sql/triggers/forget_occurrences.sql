-- Counters whose last occurrence is out of its window.
-- Locks: what others have locked is passed over: a counter that is counted on just now.
-- :before timestamptz, :limit bigint
delete from occurrences
 where (automation_id, trigger_id, partition) in (
       select automation_id, trigger_id, partition
         from occurrences
        where expires_at < :before
        order by expires_at
        limit :limit
          for update skip locked
       );
