-- Which of these may still expire: others have fired, were cancelled, or are gone with their runs.
-- :ids uuid[]
select w.id
  from waits w
  join runs r on r.id = w.run_id
 where w.id = any (:ids) and w.state = 'armed' and r.finished_at is null
 union all
select t.id from timers t where t.id = any (:ids) and t.parked_at is null;
