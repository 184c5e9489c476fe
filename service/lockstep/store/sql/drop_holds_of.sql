-- Disarm the holds of an automation, but for the triggers that still hold.
-- $1 automation id   $2 trigger ids that stay
delete from timers
 where automation_id = $1 and kind = 'hold' and trigger_id <> all ($2::text[])
returning id;
