-- Holders for which events of before a time are kept: a page, earliest first. One may come again.
-- Those of automations for which an event is parked are left out: it may still need them.
-- :before timestamptz, :limit bigint
-- :after timestamptz, :automation_id text, :trigger_id text, :topic bytea: the last one of the page
--     before
select time, automation_id, trigger_id, topic, context_key
  from hold_events h
 where time < :before
   and not exists (
       select from parked_events p where p.automation_id = h.automation_id and p.wait_id is null
   )
   and (time, automation_id, trigger_id, topic) > (:after, :automation_id, :trigger_id, :topic)
 order by time, automation_id, trigger_id, topic
 limit :limit;
