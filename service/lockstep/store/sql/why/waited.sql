-- Waits of runs about when an event was handled, for people who ask why it did not end them: those
-- that are active, and of the last 2000 of each automation those that were, those of the same
-- context key first. Of automations whose definitions have the event id in them, which no index
-- finds: among the newest 20 000 versions that wait for anything, or 2000 of the one automation; the
-- caller looks whether it is that of the wait.
-- :quoted text: the event id as it stands in definitions
-- :automation_id text: or null for all
-- :context_key text: of the event, or null
-- :since timestamptz, :until timestamptz: when they waited
-- :limit bigint
with asking as materialized (
    select automation_id
      from ((select automation_id, definition
               from automation_versions
              where :automation_id::text is null and strpos(definition, '"wait_for_trigger"') > 0
              order by created_at desc
              limit 20000)
            union all
            (select automation_id, definition
               from automation_versions
              where automation_id = :automation_id and strpos(definition, '"wait_for_trigger"') > 0
              order by version desc
              limit 2000)) as newest
     where strpos(definition, :quoted) > 0
     group by automation_id
     limit 100
),
found as materialized (
    select r.*
      from asking a
     cross join lateral (
           (select id, automation_id, version, context_key, status, trigger_time
              from runs
             where automation_id = a.automation_id and status in ('pending', 'running', 'waiting')
             order by (context_key is not distinct from :context_key) desc, position desc
             limit 100)
           union
           (select id, automation_id, version, context_key, status, trigger_time
              from (select * from runs -- `=` would let the index of all runs be read, to its end
                     where automation_id between a.automation_id and a.automation_id
                     order by automation_id desc, position desc
                     limit 2000) as newest
             where started_at <= :until and (finished_at is null or finished_at >= :since)
             order by (context_key is not distinct from :context_key) desc, position desc
             limit 100)
           ) as r
)
select f.id as run_id, f.automation_id, f.context_key as run_key, f.status as run_status,
       f.trigger_time, s.action_path, s.status, s.error_message, s.started_at, s.finished_at,
       w.id is not null as is_armed, w.context_key as wait_key, w.due_at,
       (select definition -- one by one: of all together, all versions would be read
          from automation_versions v
         where v.automation_id = f.automation_id and v.version = f.version) as definition
  from found f
 cross join lateral (
       select *
         from run_steps
        where run_id = f.id and action_kind = 'wait_for_trigger'
          and started_at <= :until and (finished_at is null or finished_at >= :since)
        order by seq desc
        limit 5
       ) as s
  left join waits w on w.run_id = f.id and w.action_path = s.action_path and w.kind = 'event'
                   and s.finished_at is null
 order by (coalesce(w.context_key, f.context_key) is not distinct from :context_key) desc,
          s.started_at desc
 limit :limit;
