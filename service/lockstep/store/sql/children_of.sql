-- Active runs that shall be cancelled with their parents. $1 run ids
select id
  from runs
 where parent_run_id = any ($1::uuid[]) and cancel_with_parent
   and status in ('pending', 'running', 'waiting');
