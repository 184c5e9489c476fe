-- Of one page of bodies, forget those whose last run, or parked event, is gone: a body is never given
-- to what comes later, so what has none will have none.
-- :after uuid: the last one of the page before
-- :limit bigint
with page as materialized (
    select id from bodies where id > :after order by id limit :limit
),
gone as (
    delete from bodies
     where id in (
           select p.id
             from page p
            where not exists (select from runs r where r.body_id = p.id)
              and not exists (select from parked_events e where e.body_id = p.id)
           )
)
select count(*) as seen, max(id::text) as last from page;
