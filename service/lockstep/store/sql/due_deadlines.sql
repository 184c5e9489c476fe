-- Runs whose time is over, by the waits that say so. $1 wait ids   $2 now
select w.id, w.run_id, w.waiting_for
  from waits w
 where w.id = any ($1::uuid[]) and w.state = 'armed' and w.kind = 'deadline' and w.due_at <= $2;
