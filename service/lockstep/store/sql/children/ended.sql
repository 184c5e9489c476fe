-- The armed waits of steps whose run has ended, of some runs.
-- :run_ids uuid[]
select w.id as wait_id, c.id, c.status
  from runs c
  join waits w on w.run_id = c.parent_run_id and w.action_path = c.parent_path
 where c.id = any (:run_ids) and c.finished_at is not null
   and w.kind = 'child' and w.state = 'armed';
