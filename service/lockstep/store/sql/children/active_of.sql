-- Active runs that shall be cancelled with their parents.
-- :run_ids uuid[]
select id
  from runs
 where parent_run_id = any (:run_ids) and cancel_with_parent
   and status in ('pending', 'running', 'waiting');
