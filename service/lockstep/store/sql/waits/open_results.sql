-- The armed waits for results of remote actions, by the place of their key.
-- :steps (run_id uuid, path text)
select steps.place, w.id, w.run_id, w.action_path, r.automation_id
  from unnest(:steps) with ordinality
  join waits w on w.run_id = steps.run_id and w.action_path = steps.path
  join runs r on r.id = w.run_id
 where w.kind = 'remote' and w.state = 'armed'
 order by steps.place, w.id;
