-- The armed waits for results of remote actions, by the place of the result; one that is later than
-- the deadline of its wait is for none.
-- :results (run_id uuid, path text, time timestamptz)
select results.place, w.id, w.run_id, w.action_path, r.automation_id
  from unnest(:results) with ordinality
  join waits w on w.run_id = results.run_id and w.action_path = results.path
  join runs r on r.id = w.run_id
 where w.kind = 'remote' and w.state = 'armed'
   and (w.due_at is null or results.time <= w.due_at)
 order by results.place, w.id;
