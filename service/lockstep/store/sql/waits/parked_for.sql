-- The events that are parked for waits: they are in no stream any more, and may still end them. By
-- the automation, which has an index; a delivery has its sequence between two colons.
-- :ids uuid[]
select w.id, min(p.event_id) as event_id, count(*) as events,
       min(split_part(p.delivery, ':', -2)::bigint) as sequence
  from waits w
  join runs r on r.id = w.run_id
  join parked_events p on p.automation_id = r.automation_id and p.wait_id = w.id
 where w.id = any (:ids)
 group by w.id;
