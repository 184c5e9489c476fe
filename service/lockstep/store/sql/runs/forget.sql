-- Runs that ended long ago, oldest first, and what is theirs; not one that others look at: a run
-- whose parent waits, or that has children which are not over. Their artifacts go with them, also
-- those that are open. Ids tell when runs were made, so that what sleeps is passed over once and
-- not read again with each batch.
-- Locks: runs; what others have locked is passed over.
-- :before timestamptz: ended before
-- :before_id uuid: the first id after that time
-- :after_id uuid: the last id that was looked at
-- :limit bigint
with old as materialized (
    select r.id
      from runs r
     where r.id > :after_id and r.id < :before_id and r.finished_at < :before
       and not exists (
           select from runs c
            where c.parent_run_id = r.id and c.parent_path is not null and c.finished_at is null
       )
       and not exists (
           select from runs p where p.id = r.parent_run_id and p.finished_at is null
       )
     order by r.id
     limit :limit
       for update of r skip locked
),
gone as (
    delete from runs where id = any (array(select id from old))
    returning id
),
steps as (
    delete from run_steps where run_id = any (array(select id from old))
),
made as (
    delete from artifacts where run_id = any (array(select id from old))
),
kept as (
    delete from failed_frames where run_id = any (array(select id from old))
)
select count(*) as runs, max(id::text) as last from gone;
