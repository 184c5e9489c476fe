-- Renew the worker; read the clock that all engines share, and the last beats of the others.
-- :id uuid, :name text, :version text
with renewed as (
    insert into workers (id, name, engine_version, reads_bodies)
    values (:id, :name, :version, true)
        on conflict (id) do update set heartbeat_at = clock_timestamp()
    returning heartbeat_at
)
select renewed.heartbeat_at as now, w.id, w.heartbeat_at
  from renewed
  left join workers w on w.id <> :id;
