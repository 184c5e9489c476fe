-- Arm holds; they are locked.
-- :holds (id uuid, automation_id text, trigger_id text, topic bytea, context_key text, event bytea,
--     armed_at timestamptz, due_at timestamptz, time timestamptz, sequence bigint)
insert into timers (
    id, kind, automation_id, trigger_id, topic, context_key, event, armed_at, due_at, event_time,
    event_sequence
)
select id, 'hold', automation_id, trigger_id, topic, context_key, event, armed_at, due_at, time,
       sequence
  from unnest(:holds);
