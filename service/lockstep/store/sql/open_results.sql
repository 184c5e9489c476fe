-- The armed waits for results of remote actions, by the place of their key.
-- $1 run ids   $2 step paths
select n.place, w.id, w.run_id, w.action_path, r.automation_id
  from unnest($1::uuid[], $2::text[]) with ordinality as n (run_id, path, place)
  join waits w on w.run_id = n.run_id and w.action_path = n.path
  join runs r on r.id = w.run_id
 where w.kind = 'remote' and w.state = 'armed'
 order by n.place, w.id;
