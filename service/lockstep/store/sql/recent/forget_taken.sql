-- Forget what actions of runs have taken that are gone: of one page, as waits/forget_left does.
-- :after uuid, :limit bigint
with page as materialized (
    select run_id, place, time, sequence
      from taken_events
     where run_id > :after
     order by run_id
     limit :limit
),
gone as (
    delete from taken_events t
     using page p
     where t.run_id = p.run_id and not exists (select from runs r where r.id = p.run_id)
)
select count(*) as looked, max(run_id::text) as last from page;
