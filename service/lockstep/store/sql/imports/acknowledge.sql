-- Let a failure be listed no longer. Doing it again keeps who was first, and when.
-- :subscription_id text, :actor text
update migration_failures
   set acknowledged_at = coalesce(acknowledged_at, clock_timestamp()),
       acknowledged_by = case when acknowledged_at is null then :actor else acknowledged_by end
 where subscription_id = :subscription_id
returning subscription_id;
