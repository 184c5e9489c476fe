-- Whether a subscription has its automation already. Its failure is over either way: who then
-- cannot insert one rolls this back. A statement of its own after `lock_import`: only then does it
-- see what the holder before has committed.
-- $1 the mark of its automation   $2 subscription id
with over as (delete from migration_failures where subscription_id = $2)
select exists (select from automations where managed_by = $1);
