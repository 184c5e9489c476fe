-- A run whose saved state is gone gets a row again, so that it can be failed: it never goes on.
-- Its events went up to about here: one for its start, one for each ended step.
-- :run_id uuid, :epoch integer
insert into run_frames (run_id, epoch, event_seq)
select :run_id, :epoch, 1 + count(*)
  from run_steps
 where run_id = :run_id and finished_at is not null
    on conflict (run_id) do update set epoch = excluded.epoch
returning event_seq;
