-- Note which events have ended the waits of which actions. Their runs are held.
-- :taken (run_id uuid, place text, time timestamptz, sequence bigint)
insert into taken_events (run_id, place, time, sequence)
select * from unnest(:taken)
    on conflict do nothing;
