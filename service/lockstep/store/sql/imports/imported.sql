-- Those of many subscriptions that have their automation; their failures are over.
-- Locks: failures by id of subscription.
-- :subscriptions (mark text, id text): the mark is that of its automation
with found as (
    select id
      from unnest(:subscriptions)
     where exists (select from automations a where a.managed_by = subscriptions.mark)
), over as (
    delete from migration_failures
     where subscription_id in (
        select f.subscription_id
          from migration_failures f
          join found on found.id = f.subscription_id
         order by 1 for update of f
     )
)
select id from found;
