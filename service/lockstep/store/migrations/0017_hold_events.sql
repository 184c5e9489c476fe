-- 0017_hold_events: what comes out of holds (`for`) is computed from the times of events.
-- Apply: before the code that writes it. Lock: access exclusive on `timers`, no rewrite, milliseconds.
-- Older code: goes on with `timers` as before, and keeps no events: what it arms or disarms is told
-- apart by that, and what was kept for such a holder is dropped. Transaction: yes.

-- Which event has armed a hold. Null: armed by older code, which has its time in `event` only.
alter table timers add column event_time timestamptz;
alter table timers add column event_sequence bigint;

-- The row in `timers` is the first hold of its holder that nothing cancels. These are the other
-- events of the holder, as long as one that is not handled yet could make something else of them:
-- those that cancel, that came while a hold stood, and that arm the holds behind the first.
create table hold_events (
    automation_id text not null,
    trigger_id text not null,
    topic bytea not null, -- digest of the context key, as in timers
    time timestamptz not null,
    sequence bigint not null,
    context_key text,
    due_at timestamptz, -- until when it holds; null: it cancels
    event bytea, -- as in timers; null where it starts nothing any more
    primary key (automation_id, trigger_id, topic, time, sequence)
);
create index hold_events_by_time on hold_events (time, automation_id, trigger_id, topic);
