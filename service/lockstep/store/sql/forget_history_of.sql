-- The history of one automation that was deleted, in small batches.
-- $1 automation id   $2 how many
with gone as (
    delete from runs
     where id in (select id from runs where automation_id = $1 and finished_at is not null limit $2)
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
