-- Keep why events started nothing, what they have woken, and what waits on.
-- :refused (delivery text, event_id text, message_id text, automation_id text, trigger_id text,
--     stage text, detail text, run_id uuid, path text)
-- :judged_at timestamptz
insert into judgements (
    delivery, event_id, message_id, automation_id, trigger_id, gate, detail, run_id, action_path,
    judged_at
)
select refused.*, :judged_at from unnest(:refused);
