-- Disarm the holds of an automation, but for the triggers that still hold as they did. Given are they,
-- and what was kept behind them (without an id), with the first 4 MiB of their events.
-- The automation is locked alone.
-- :automation_id text
-- :kept text[]: trigger ids that stay
with others as (
    delete from hold_events
     where automation_id = :automation_id and trigger_id <> all (:kept)
    returning trigger_id, event
),
holds as (
    delete from timers
     where automation_id = :automation_id and kind = 'hold' and trigger_id <> all (:kept)
    returning id, trigger_id, event
),
dropped as (
    select id, trigger_id, event from holds
     union all
    select null, trigger_id, event from others where event is not null
)
select id, trigger_id,
       case when sum(coalesce(octet_length(event), 0)) over (order by id rows unbounded preceding)
                 <= 4194304 then event end as event
  from dropped;
