-- Counters whose last occurrence is out of its window. $1 that time   $2 how many
delete from occurrences
 where (automation_id, trigger_id, partition) in (
       select automation_id, trigger_id, partition
         from occurrences
        where expires_at < $1
        limit $2
       );
