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
select row_to_json(e)::text from parked_events e where :kind = 'event' and e.id = :row_id
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
