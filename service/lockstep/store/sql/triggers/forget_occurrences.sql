-- Counters whose last occurrence is out of its window.
-- :before timestamptz, :limit bigint
delete from occurrences
 where (automation_id, trigger_id, partition) in (
       select automation_id, trigger_id, partition
         from occurrences
        where expires_at < :before
        limit :limit
       );
