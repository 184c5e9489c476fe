-- Parked events by their ids.
-- :ids uuid[]
select id, delivery, automation_id, wait_id, subject, headers, body, parked_reason
  from parked_events
 where id = any (:ids);
