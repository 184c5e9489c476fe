-- Active runs whose saved state is gone get a row again, so that they can be ended: none goes on.
-- One that has ended meanwhile gets none, and gives no row.
-- How far its events went is not known any more, and one that has the seq of an earlier one would be
-- taken for it: the stream would drop it, and nobody would hear of the end. So this is the most that
-- they can have been, and what is told of the end comes after a gap: one event for the start; two
-- for each step, that it waited and that it ended, and its sixteen warnings; three for each wake and
-- each wait, that the run waited, that it went on, and that a step waited again.
-- Locks: runs by id, then their frames.
-- :run_ids uuid[]
insert into run_frames (run_id, epoch, event_seq)
select r.id, r.epoch, greatest(
           (select coalesce(max(o.seq), 0) from outbox o where o.topic = r.id::text),
           1 + 3 * (r.wakes + (select count(*) from waits w where w.run_id = r.id))
             + 18 * (select count(*) from run_steps s where s.run_id = r.id)
       )
  from runs r
 where r.id = any (:run_ids) and r.status in ('pending', 'running', 'waiting')
 order by r.id
   for no key update of r
    on conflict (run_id) do update set epoch = excluded.epoch
returning event_seq;
