-- Renew the worker and read the clock that all engines share.
-- :id uuid, :name text, :version text
insert into workers (id, name, engine_version) values (:id, :name, :version)
    on conflict (id) do update set heartbeat_at = clock_timestamp()
returning heartbeat_at;
