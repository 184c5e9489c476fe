-- The armed waits of steps whose run has ended without a notice, or is gone while the step sleeps. A
-- parked parent does not sleep: it may have been put aside before it started the run. Each of these
-- can be fired, so none stands before others for long.
-- :limit bigint
select w.id as wait_id, c.id, coalesce(c.status, 'cancelled') as status
  from waits w
  join runs r on r.id = w.run_id
  left join runs c on c.parent_run_id = w.run_id and c.parent_path = w.action_path
 where w.kind = 'child' and w.state = 'armed' and r.finished_at is null
   and (c.finished_at is not null
        or (c.id is null and r.status = 'waiting' and r.parked_at is null))
 limit :limit;
