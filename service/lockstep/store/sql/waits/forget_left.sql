-- Waits that runs have left which are over, and their live steps: versions before have lost sight of
-- them. A page of all waits, by id; gives how many were gone through, and the last of them.
-- :after uuid, :limit bigint
with page as materialized (
    select id, run_id from waits where id > :after order by id limit :limit
),
left_behind as materialized (
    select p.id, p.run_id
      from page p
      left join runs r on r.id = p.run_id
     where r.id is null or r.finished_at is not null
),
gone as (
    delete from waits where id in (select id from left_behind)
    returning id
),
steps as (
    update run_steps
       set status = 'failed', error_message = 'cancelled', finished_at = clock_timestamp()
     where run_id in (select run_id from left_behind) and status in ('running', 'waiting')
)
select (select count(*) from page) as looked, (select count(*) from gone) as gone,
       (select id from page order by id desc limit 1) as last;
