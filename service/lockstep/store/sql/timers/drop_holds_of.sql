-- Disarm the holds of an automation, but for the triggers that still hold.
-- :automation_id text
-- :kept text[]: trigger ids that stay
with others as (
    delete from hold_events
     where automation_id = :automation_id and trigger_id <> all (:kept)
)
delete from timers
 where automation_id = :automation_id and kind = 'hold' and trigger_id <> all (:kept)
returning id;
