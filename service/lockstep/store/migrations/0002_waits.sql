-- 0002_waits: what sleeping runs wait for.
-- Apply: at any time. Lock: none on what is there. Older code: never looks at it, and finds no run
-- that waits. Transaction: yes.

-- The truth of all that sleeps; timers, KV buckets and sweeps only say when to look here.
-- `topic`: event id and context key as one digest, so that an event finds its waits by one index.
create table waits (
    id uuid primary key,
    run_id uuid not null,
    kind text not null check (kind in ('delay', 'event', 'retry', 'remote', 'deadline')),
    action_path text not null, -- empty: the deadline of the run
    waiting_for text not null,
    topic bytea,
    event_id text,
    context_key text,
    filter text,
    run_scope bytea, -- where the filter asks for it
    warning text, -- why the filter could not be judged when it was tried last
    due_at timestamptz,
    state text not null default 'armed' check (state in ('armed', 'fired')),
    cause text check (cause in ('event', 'due')),
    payload bytea, -- of the event
    armed_at timestamptz not null,
    fired_at timestamptz,
    check ((state = 'fired') = (cause is not null)),
    check ((kind = 'event') = (topic is not null)),
    check (due_at is not null or kind in ('event', 'remote'))
);
create index waits_of_run on waits (run_id);
-- What an event may satisfy.
create index waits_awaited on waits (topic) where state = 'armed' and topic is not null;
-- What is due next.
create index waits_due on waits (due_at) where state = 'armed';
-- What an owner has not heard of.
create index waits_fired on waits (run_id) where state = 'fired';
