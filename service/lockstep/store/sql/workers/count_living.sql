-- How many workers live.
-- :stale (id uuid, heartbeat_at timestamptz): those that are taken for dead, with their last beat
select count(*)
  from workers w
 where not exists (
       select from unnest(:stale) where stale.id = w.id and stale.heartbeat_at = w.heartbeat_at
       );
