-- The history of one automation that was deleted, in small batches.
-- Locks: runs, by id.
-- :automation_id text, :limit bigint
with gone as (
    delete from runs
     where id in (
           select id
             from runs
            where automation_id = :automation_id and finished_at is not null
            order by id
            limit :limit
              for update
           )
    returning id
),
steps as (
    delete from run_steps s using gone where s.run_id = gone.id
),
made as (
    delete from artifacts a using gone where a.run_id = gone.id
),
kept as (
    delete from failed_frames f using gone where f.run_id = gone.id
)
select count(*) as runs from gone;
