-- Keep events that some wait may look back on. Under the locks of their topics.
-- :events (topic bytea, id text, context_key text, time timestamptz, sequence bigint,
--     delivery text, message_id text, actor bytea, hop integer, body bytea)
-- :now timestamptz
with kept as (
    insert into recent_events (
        topic, event_id, context_key, time, sequence, delivery, message_id, actor, hop, body,
        handled_at
    )
    select events.*, :now from unnest(:events)
    returning size
)
insert into recent_sizes (bytes) select sum(size) from kept;
