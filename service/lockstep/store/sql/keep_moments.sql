-- Keep the last occurrences of a counter; its lock is held.
-- $1 automation id   $2 trigger id   $3 partition   $4 moments   $5 when nobody asks for it any more
insert into occurrences (automation_id, trigger_id, partition, moments, expires_at)
values ($1, $2, $3, $4, $5)
    on conflict (automation_id, trigger_id, partition) do update
   set moments = excluded.moments, expires_at = excluded.expires_at;
