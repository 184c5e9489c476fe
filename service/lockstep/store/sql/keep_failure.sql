-- Keep why a subscription could not be imported, to be acknowledged anew; nothing where it has its
-- automation. After `lock_import`.
-- $1 the mark of its automation   $2 subscription id   $3 name   $4 provider   $5 event
-- $6 reason   $7 detail   $8 config   $9 now
insert into migration_failures as f (
    subscription_id, name, provider, event, reason, detail, config, failed_at
)
select $2, $3, $4, $5, $6, $7, $8, $9
 where not exists (select from automations where managed_by = $1)
    on conflict (subscription_id) do update
   set name = excluded.name, provider = excluded.provider, event = excluded.event,
       reason = excluded.reason, detail = excluded.detail, config = excluded.config,
       failed_at = excluded.failed_at, acknowledged_at = null, acknowledged_by = null
returning f.subscription_id;
