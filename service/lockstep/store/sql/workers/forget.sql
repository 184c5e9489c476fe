-- Workers that are long gone and own nothing; for an hour the doctor shows them.
-- :stale (id uuid, heartbeat_at timestamptz): those that are taken for dead, with their last beat
delete from workers w
 using unnest(:stale)
 where w.id = stale.id
   and w.heartbeat_at = stale.heartbeat_at
   and w.heartbeat_at < clock_timestamp() - interval '1 hour'
   and not exists (select from runs r where r.owner = w.id);
