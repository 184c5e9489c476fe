-- Renew the worker and read the clock that all engines share.
-- $1 id   $2 name   $3 version
insert into workers (id, name, engine_version) values ($1, $2, $3)
    on conflict (id) do update set heartbeat_at = clock_timestamp()
returning heartbeat_at;
