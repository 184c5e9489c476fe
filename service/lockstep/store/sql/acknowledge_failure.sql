-- Let a failure be listed no longer. Doing it again keeps who was first, and when.
-- $1 subscription id   $2 actor
update migration_failures
   set acknowledged_at = coalesce(acknowledged_at, clock_timestamp()),
       acknowledged_by = case when acknowledged_at is null then $2 else acknowledged_by end
 where subscription_id = $1
returning subscription_id;
