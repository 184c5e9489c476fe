-- Keep the last occurrences of a counter; it is locked.
-- :automation_id text, :trigger_id text, :partition bytea, :moments timestamptz[]
-- :expires_at timestamptz: when nobody asks for it any more
insert into occurrences (automation_id, trigger_id, partition, moments, expires_at)
values (:automation_id, :trigger_id, :partition, :moments, :expires_at)
    on conflict (automation_id, trigger_id, partition) do update
   set moments = excluded.moments, expires_at = excluded.expires_at;
