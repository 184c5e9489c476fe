-- 0005_migration_failures: subscriptions that did not become automations.
-- Apply: at any time. Lock: `automations` for the time it takes to build a partial index.
-- Older code: imports nothing. Transaction: yes.

-- One row per subscription, replaced when it fails again, deleted when it has its automation.
create table migration_failures (
    subscription_id text primary key,
    position bigint generated always as identity,
    name text,
    provider text,
    event text,
    reason text not null,
    detail text not null,
    config bytea not null, -- text as it came; jsonb refuses \u0000
    failed_at timestamptz not null,
    acknowledged_at timestamptz,
    acknowledged_by text
);
-- What is listed.
create index migration_failures_open on migration_failures (position)
    where acknowledged_at is null;

-- Whether a subscription has its automation.
create index automations_by_manager on automations (managed_by) where managed_by is not null;
