-- The armed waits of steps whose run has ended, of some runs. $1 ids of runs that were started
select w.id as wait_id, c.id, c.status
  from runs c
  join waits w on w.run_id = c.parent_run_id and w.action_path = c.parent_path
 where c.id = any ($1::uuid[]) and c.finished_at is not null
   and w.kind = 'child' and w.state = 'armed';
