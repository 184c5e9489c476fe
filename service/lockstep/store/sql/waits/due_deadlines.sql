-- Runs whose time is over, by the waits that say so.
-- :ids uuid[], :now timestamptz
select w.id, w.run_id, w.waiting_for
  from waits w
 where w.id = any (:ids) and w.state = 'armed' and w.kind = 'deadline' and w.due_at <= :now;
