-- 0016_recent_events: events that waits look back on.
-- Apply: before the code that writes it. Lock: access exclusive on `waits` while its rows are read
-- once, and on `automation_versions` for milliseconds; no rewrite. Older code: cannot read a definition
-- that looks back, so its runs are parked there; what it handles is not kept. Transaction: yes.

-- `looking`: stored, and armed when it has looked back; `since_*`, behind which event it looks.
alter table waits add column look_back double precision;
alter table waits add column since_time timestamptz;
alter table waits add column since_sequence bigint;
-- wider: one state more
alter table waits drop constraint waits_state_check;
alter table waits add constraint waits_state_check
    check (state in ('armed', 'fired', 'parked', 'looking'));
-- wider: one cause more
alter table waits drop constraint waits_cause_check;
alter table waits add constraint waits_cause_check check (cause in ('event', 'due', 'incomplete'));
create index waits_looking on waits (id) where state = 'looking';

-- The events that waits of a version look back on, as long as its runs, or retries of them, may ask.
alter table automation_versions add column looks_back text[];
create index versions_looking_back on automation_versions (automation_id, version)
    where looks_back is not null;

create table recent_events (
    position bigint generated always as identity primary key,
    topic bytea not null,
    event_id text not null,
    context_key text,
    time timestamptz not null,
    sequence bigint not null,
    delivery text not null,
    message_id text,
    actor bytea not null,
    hop integer not null,
    body bytea not null,
    handled_at timestamptz not null,
    -- as `Event.size` has it: all that its publisher has said, and the row
    size integer not null generated always as (
        200 + octet_length(body) + octet_length(actor) + octet_length(event_id)
        + octet_length(delivery) + octet_length(coalesce(context_key, ''))
        + octet_length(coalesce(message_id, ''))
    ) stored
);
create index recent_events_of_topic on recent_events (topic, time, sequence, position);
create index recent_events_by_time on recent_events (time, sequence, position);

-- How many bytes there are is the sum of these: whoever keeps or deletes events adds a row, nobody waits
-- for it, and housekeeping makes one of them.
create table recent_sizes (
    id bigint generated always as identity primary key,
    bytes bigint not null
);

-- Of each event id and topic the newest one that was dropped for lack of room. An empty topic: of any
-- key, where there were too many of them.
create table dropped_events (
    event_id text not null,
    topic bytea not null,
    time timestamptz not null,
    sequence bigint not null,
    primary key (event_id, topic)
);

-- Which event has ended the wait of which action of a run: it is not taken by it again.
create table taken_events (
    run_id uuid not null,
    place text not null,
    time timestamptz not null,
    sequence bigint not null,
    primary key (run_id, place, time, sequence)
);
