-- Which steps of runs have been visited. $1 run ids   $2 step paths
select n.run_id, n.path as action_path
  from unnest($1::uuid[], $2::text[]) as n (run_id, path)
 where exists (select from run_steps s where s.run_id = n.run_id and s.action_path = n.path);
