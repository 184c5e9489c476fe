-- Let each replica try again what is parked, at its next look; of automations, at once.
-- Locks: a row of each table; the revision last, as everywhere.
-- :runs uuid[], :waits uuid[], :timers uuid[], :events uuid[], :automations text[]
-- :setups (automation_id text, trigger_id text)
-- :named (topic text, seq bigint): rows of the outbox
with runs_again as (
    update runs set parked_tried = '{}'
     where id = any (:runs) and parked_at is not null and status = 'waiting'
    returning 'run:' || id as id
),
waits_again as (
    update waits set parked_tried = '{}' where id = any (:waits) and state = 'parked'
    returning 'wait:' || id as id
),
timers_again as (
    update timers set parked_tried = '{}' where id = any (:timers) and parked_at is not null
    returning 'timer:' || id as id
),
events_again as (
    update parked_events set parked_tried = '{}' where id = any (:events)
    returning 'event:' || id as id
),
setups_again as (
    update sources s set parked_tried = '{}'
      from unnest(:setups)
     where s.automation_id = setups.automation_id and s.trigger_id = setups.trigger_id
       and parked_at is not null
    returning 'setup:' || s.automation_id || '/' || s.trigger_id as id
),
outbox_again as (
    update outbox o set parked_tried = '{}'
      from unnest(:named)
     where o.topic = named.topic and o.seq = named.seq and parked_at is not null
    returning 'outbox:' || o.topic || ':' || o.seq as id
),
automations_again as (
    select 'automation:' || id as id
      from automations
     where id = any (:automations) and parked_at is not null
),
raised as (
    update catalog_revision set revision = revision + 1
     where exists (select from automations_again)
)
select id from runs_again
 union all select id from waits_again
 union all select id from timers_again
 union all select id from events_again
 union all select id from setups_again
 union all select id from outbox_again
 union all select id from automations_again;
