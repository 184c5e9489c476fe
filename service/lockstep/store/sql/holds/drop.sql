-- Drop events that are kept for holders, which are locked.
-- :events (automation_id text, trigger_id text, topic bytea, time timestamptz, sequence bigint)
delete from hold_events h
 using unnest(:events)
 where h.automation_id = events.automation_id and h.trigger_id = events.trigger_id
   and h.topic = events.topic and h.time = events.time and h.sequence = events.sequence;
