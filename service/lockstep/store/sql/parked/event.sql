-- A parked event with its body, wherever that is stored; null where it is lost.
-- :id uuid
select e.id, delivery, automation_id, wait_id, subject, headers,
       case when e.body_id is null then e.body else b.content end as body, time,
       parked_reason
  from parked_events e
  left join bodies b on b.id = e.body_id
 where e.id = :id;
