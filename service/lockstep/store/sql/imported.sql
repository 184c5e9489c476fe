-- Those of many subscriptions that have their automation; their failures are over.
-- $1 marks of automations   $2 the ids of the subscriptions, in the same order
with found as (
    select n.id
      from unnest($1::text[], $2::text[]) as n (mark, id)
     where exists (select from automations a where a.managed_by = n.mark)
), over as (
    delete from migration_failures
     where subscription_id in (
        select f.subscription_id from migration_failures f join found on found.id = f.subscription_id
         order by 1 for update of f
     )
)
select id from found;
