-- Keep events for automations, or waits, that this worker cannot ask. Each once.
-- Locks: automations, shared: one that was deleted meanwhile asks for nothing.
-- :events (id uuid, delivery text, automation_id text, wait_id uuid, event_id text, subject text,
--     headers bytea, body bytea, body_id uuid, time timestamptz, context_key text, reason text)
-- :version text, :worker_id uuid
with asking as (
    select id
      from automations
     where id in (select automation_id from unnest(:events))
     order by id collate "C"
       for key share
)
insert into parked_events (
    id, delivery, automation_id, wait_id, event_id, subject, headers, body, body_id, time,
    context_key, parked_reason, parked_version, parked_tried
)
select events.id, delivery, automation_id, wait_id, event_id, subject, headers, body, body_id, time,
       context_key, reason, :version, array[:worker_id]
  from unnest(:events)
  join asking on asking.id = automation_id
    on conflict do nothing;
