-- Arm holds by events that are kept; their holders are locked.
-- :holds (id uuid, automation_id text, trigger_id text, topic bytea, time timestamptz,
--     sequence bigint, armed_at timestamptz)
with following as (
    delete from hold_events h
     using unnest(:holds)
     where h.automation_id = holds.automation_id and h.trigger_id = holds.trigger_id
       and h.topic = holds.topic and h.time = holds.time and h.sequence = holds.sequence
    returning h.*, holds.id, holds.armed_at
)
insert into timers (
    id, kind, automation_id, trigger_id, topic, context_key, event, armed_at, due_at, event_time,
    event_sequence
)
select id, 'hold', automation_id, trigger_id, topic, context_key, event, armed_at, due_at, time,
       sequence
  from following;
