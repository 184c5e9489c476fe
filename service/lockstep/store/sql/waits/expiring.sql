-- What might still end these waits: those that are armed and due, and wait for an event or a result.
-- :ids uuid[], :now timestamptz
select id, kind, event_id, context_key, due_at, run_id, action_path
  from waits
 where id = any (:ids) and state = 'armed' and kind in ('event', 'remote') and due_at <= :now;
