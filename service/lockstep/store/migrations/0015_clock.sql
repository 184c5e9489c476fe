-- 0015_clock: how far the clock of a stream is ahead of that of the database; times of events.
-- Apply: before the code that writes it. Lock: access exclusive on receipts and parked_events, no
-- rewrite, milliseconds. Older code: writes none of it; times of its events are those of the
-- stream, as before. Transaction: yes.

-- One row for a stream, so that all replicas go by the same. `begun_because`: first, leader, jump;
-- then `was_ahead` is what was measured before. What was stored until some time, by the clock of the
-- stream, goes by what was measured by then: the three `past_` columns, oldest first.
create table stream_clocks (
    stream text primary key,
    leader text not null, -- the server of the bus whose clock it is; empty where there is but one
    ahead interval not null,
    error interval not null,
    measured_at timestamptz not null default clock_timestamp(),
    begun_at timestamptz not null default clock_timestamp(),
    begun_because text not null,
    was_ahead interval,
    past_until timestamptz[] not null default '{}',
    past_ahead interval[] not null default '{}',
    past_error interval[] not null default '{}'
);

-- The time of an event, fixed when it is first handled. Null: handled before there was the column.
alter table receipts add column time timestamptz;
alter table parked_events add column time timestamptz;
alter table parked_events add column context_key text; -- of the event; known where its time is
