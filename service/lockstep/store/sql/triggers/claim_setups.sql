-- Take set-ups that no living worker runs, as many as there is a fair share of; not those that
-- this worker has parked, because it cannot begin them.
-- Locks: set-ups, by automation and trigger.
-- :setups (automation_id text, trigger_id text)
-- :worker_id uuid, :limit bigint
-- :stale (id uuid, heartbeat_at timestamptz): workers that are taken for dead, with their last beat
with free as (
    select automation_id, trigger_id
      from unnest(:setups)
     where not exists (
           select from sources s
             join workers w on w.id = s.owner
              and not exists (
                  select from unnest(:stale)
                   where stale.id = w.id and stale.heartbeat_at = w.heartbeat_at
                  )
            where s.automation_id = setups.automation_id and s.trigger_id = setups.trigger_id
           )
       and not exists (
           select from sources s
            where s.automation_id = setups.automation_id and s.trigger_id = setups.trigger_id
              and :worker_id = any (s.parked_tried)
           )
     order by automation_id collate "C", trigger_id collate "C"
     limit :limit
)
insert into sources (automation_id, trigger_id, owner)
select automation_id, trigger_id, :worker_id from free
    on conflict (automation_id, trigger_id) do update
   set owner = excluded.owner, claimed_at = clock_timestamp(), parked_at = null
 where not exists (
       select from workers w
        where w.id = sources.owner
          and not exists (
              select from unnest(:stale)
               where stale.id = w.id and stale.heartbeat_at = w.heartbeat_at
              )
       )
returning automation_id, trigger_id;
