-- 0003_gates: queues, windows, timers of triggers, and why an event started nothing.
-- Apply: at any time. Lock: `runs` for the time it takes to build two partial indexes.
-- Older code: never queues; what it inserts is in no queue. Transaction: yes.

-- `gate`: what mode `queued` counts, for the runs that were started under it.
alter table runs add column gate text;
alter table runs add column queued boolean not null default false;
alter table runs add column traceparent text;
-- wider: it binds a column that older code does not know.
alter table runs add check (not queued or (status = 'pending' and gate is not null));

-- What leaves a queue next.
create index runs_queue on runs (gate, rank_time, rank_sequence, position) where queued;
-- What a free place takes next: in the order of the stream, fairly between automations.
drop index runs_ready;
create index runs_ready on runs (automation_id, rank_time, rank_sequence, position)
    where status = 'pending' and not queued;
-- Queue-like tables: vacuumed for the rows that have died, not for a share of those that live.
alter table waits set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
alter table outbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
alter table run_frames set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
alter table runs set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

-- What an event has started, for `lockstep why`.
create index runs_by_event on runs (trigger_event_id, rank_sequence);

-- The last occurrences of a trigger with a window: as many moments as the window counts.
create table occurrences (
    automation_id text not null,
    trigger_id text not null,
    partition bytea not null, -- digest of the context key, or of the value of `partition_by`
    moments timestamptz[] not null,
    expires_at timestamptz not null,
    primary key (automation_id, trigger_id, partition)
);
create index occurrences_expired on occurrences (expires_at);

-- What is due for triggers: holds (`for`) that are armed, and the next tick of schedules.
create table timers (
    id uuid primary key,
    kind text not null check (kind in ('hold', 'schedule')),
    automation_id text not null,
    trigger_id text not null,
    topic bytea not null, -- digest of the context key, or of the schedule
    context_key text,
    event bytea, -- of a hold: what armed it
    schedule text, -- of a schedule: event id and config, to see whether they have changed
    last_value boolean, -- of `automation.template`
    armed_at timestamptz not null,
    due_at timestamptz not null,
    unique (automation_id, trigger_id, topic)
);
create index timers_due on timers (due_at);

-- Events that came often and are handled alone: a mark that outlives the worker they may kill.
create table suspects (
    delivery text primary key,
    attempts integer not null,
    noted_at timestamptz not null default clock_timestamp()
);

-- Why an event started nothing, or what it woke: bounded, for `lockstep why`.
create table judgements (
    position bigint generated always as identity primary key,
    delivery text not null,
    event_id text not null,
    message_id text,
    automation_id text not null,
    trigger_id text not null,
    gate text not null,
    detail text not null,
    judged_at timestamptz not null
);
create index judgements_by_delivery on judgements (delivery);
create index judgements_by_message on judgements (message_id) where message_id is not null;
