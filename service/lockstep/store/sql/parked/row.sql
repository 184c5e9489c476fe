-- A parked row as it is stored, for people: JSON, with bytes in hex.
-- :kind text
-- :row_id uuid: of what has one; null else
-- :topic text, :seq bigint: of a row of the outbox
-- :automation_id text, :trigger_id text: of a set-up, or of an automation
select row_to_json(r)::text as row from runs r where :kind = 'run' and r.id = :row_id
 union all
select row_to_json(w)::text from waits w where :kind = 'wait' and w.id = :row_id
 union all
select row_to_json(t)::text from timers t where :kind = 'timer' and t.id = :row_id
 union all
select row_to_json(shown)::text
  from (
       select e.id, e.delivery, e.automation_id, e.wait_id, e.event_id, e.subject, e.headers,
              case when e.body_id is null then e.body else b.content end as body, e.parked_at, e.parked_reason, e.parked_version,
              e.parked_tried
         from parked_events e
         left join bodies b on b.id = e.body_id
        where :kind = 'event' and e.id = :row_id
       ) as shown
 union all
select row_to_json(o)::text from outbox o
 where :kind = 'outbox' and o.topic = :topic and o.seq = :seq
 union all
select row_to_json(s)::text from sources s
 where :kind = 'setup' and s.automation_id = :automation_id and s.trigger_id = :trigger_id
 union all
select row_to_json(v)::text
  from automation_versions v
  join automations a on a.id = v.automation_id and a.version = v.version
 where :kind = 'automation' and a.id = :automation_id;
