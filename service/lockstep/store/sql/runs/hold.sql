-- Hold active runs with their frames, before the next statement ends them. A statement that waits
-- for a lock and then acts looks at what was there when it began, and misses the waits and steps
-- that were committed meanwhile; the next one sees them.
-- Locks: runs by id, then their frames by run id.
-- :run_ids uuid[]
with active as (
    select id
      from runs
     where id = any (:run_ids) and status in ('pending', 'running', 'waiting')
     order by id
       for no key update
),
framed as (
    select run_id
      from run_frames
     where run_id in (select id from active)
     order by run_id
       for update
)
select (select count(*) from active) as runs, (select count(*) from framed) as frames;
