-- 0001_start: the tables of automations, runs, receipts and the outbox.
-- Apply: before the first engine. Lock: none, everything is new.
-- Older code: there is none. Transaction: yes.

-- What automations say now; their definitions are in automation_versions.
create table automations (
    id text primary key,
    position bigint generated always as identity,
    name text not null,
    description text,
    status text not null check (status in ('enabled', 'disabled')),
    group_name text,
    version integer not null,
    managed_by text,
    updated_by text,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index automations_by_position on automations (position);

-- Immutable: a run is pinned to the version that it was started with.
create table automation_versions (
    automation_id text not null references automations on delete cascade,
    version integer not null,
    definition text not null,
    created_at timestamptz not null,
    primary key (automation_id, version)
);

-- One row. Raised by every change of an automation, read by every batch of events.
create table catalog_revision (
    is_row boolean primary key default true check (is_row),
    revision bigint not null
);
insert into catalog_revision (revision) values (0);

-- One row per start of an engine process; a stale heartbeat means that others may adopt its runs.
create table workers (
    id uuid primary key,
    name text not null,
    engine_version text not null,
    started_at timestamptz not null default clock_timestamp(),
    heartbeat_at timestamptz not null default clock_timestamp()
);

-- Payload, actor: text as it came; jsonb refuses \u0000 and loses the order of keys.
-- rank_time, rank_sequence: the order of the stream, (store time, sequence).
create table runs (
    id uuid primary key,
    position bigint generated always as identity,
    automation_id text not null,
    automation_name text not null,
    version integer not null,
    trigger_id text not null,
    trigger_event_id text not null,
    trigger_payload bytea not null,
    trigger_time timestamptz not null,
    message_id text,
    hop integer not null default 0,
    actor bytea not null,
    context_key text,
    status text not null,
    reason text,
    error_message text,
    owner uuid,
    epoch integer not null,
    wakes integer not null default 0,
    rank_time timestamptz not null,
    rank_sequence bigint not null,
    parent_run_id uuid,
    created_at timestamptz not null default clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    check (status in ('pending', 'running', 'waiting', 'success', 'failed', 'cancelled', 'skipped')),
    -- I5: a run is running if and only if it has an owner.
    check ((status = 'running') = (owner is not null)),
    check ((status in ('pending', 'running', 'waiting')) = (finished_at is null))
);
-- What a mode counts.
create index runs_active on runs (automation_id, context_key)
    where status in ('pending', 'running', 'waiting');
-- What a free place takes next.
create index runs_ready on runs (rank_time, rank_sequence, position) where status = 'pending';
-- What is adopted when an owner dies.
create index runs_owned on runs (owner) where owner is not null;
-- What people list.
create index runs_by_position on runs (position);
create index runs_by_automation on runs (automation_id, position);

-- The live positions of a run; the row is there as long as the run is active.
-- `epoch` is that of the run: the one place where every write of a walk is fenced.
create table run_frames (
    run_id uuid primary key,
    epoch integer not null,
    event_seq integer not null default 0,
    document bytea
) with (fillfactor = 70);

-- One row per visit of a step path. `items`: the list of a for_each, kept for its resumption.
create table run_steps (
    run_id uuid not null,
    seq integer not null,
    action_path text not null,
    action_id text,
    action_kind text not null,
    provider_action_id text,
    status text not null check (status in ('running', 'waiting', 'success', 'failed', 'skipped')),
    attempts integer not null,
    error_message text,
    result bytea,
    items bytea,
    started_at timestamptz not null,
    finished_at timestamptz,
    primary key (run_id, seq)
) with (fillfactor = 80);

create table artifacts (
    id uuid primary key,
    position bigint generated always as identity,
    run_id uuid not null,
    automation_id text not null,
    action_id text not null,
    artifact_type text not null,
    data bytea not null,
    context_key text,
    created_at timestamptz not null,
    closed_at timestamptz
);
create index artifacts_of_run on artifacts (run_id, position);
-- What an action consumes: newest first.
create index artifacts_open on artifacts (automation_id, artifact_type, context_key, position)
    where closed_at is null;

-- An event that was seen before is dropped here, whichever of the two keys tells it.
create table receipts (
    delivery text primary key, -- <stream>:<sequence>:<store time in ns>
    event_id text not null,
    message_id text,
    received_at timestamptz not null default clock_timestamp()
);
create unique index receipts_by_message on receipts (event_id, message_id)
    where message_id is not null;
create index receipts_by_time on receipts (received_at);

-- What is committed and not yet acknowledged by the bus; per `topic` published in order of `seq`.
create table outbox (
    topic text not null, -- run id, or `automation:<id>`, or a receipt
    seq bigint not null,
    subject text not null,
    message_id text not null,
    body bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (topic, seq)
);
create index outbox_by_time on outbox (created_at);
