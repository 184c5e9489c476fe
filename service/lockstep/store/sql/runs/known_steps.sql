-- Which steps of runs have been visited.
-- :steps (run_id uuid, path text)
select run_id, path as action_path
  from unnest(:steps)
 where exists (
       select from run_steps s where s.run_id = steps.run_id and s.action_path = steps.path
       );
