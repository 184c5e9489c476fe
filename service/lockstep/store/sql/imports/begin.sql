-- Whether a subscription has its automation already. Its failure is over either way: who then
-- cannot insert one rolls this back. A statement of its own after imports/lock: only then does it
-- see what the holder before has committed.
-- :mark text: the mark of its automation
-- :subscription_id text
with over as (delete from migration_failures where subscription_id = :subscription_id)
select exists (select from automations where managed_by = :mark);
