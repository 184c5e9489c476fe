-- Keep why a subscription could not be imported, to be acknowledged anew; nothing where it has its
-- automation. After imports/lock.
-- :mark text: the mark of its automation
-- :subscription_id text, :name text, :provider text, :event text, :reason text, :detail text
-- :config bytea, :now timestamptz
insert into migration_failures as f (
    subscription_id, name, provider, event, reason, detail, config, failed_at
)
select :subscription_id, :name, :provider, :event, :reason, :detail, :config, :now
 where not exists (select from automations where managed_by = :mark)
    on conflict (subscription_id) do update
   set name = excluded.name, provider = excluded.provider, event = excluded.event,
       reason = excluded.reason, detail = excluded.detail, config = excluded.config,
       failed_at = excluded.failed_at, acknowledged_at = null, acknowledged_by = null
returning f.subscription_id;
