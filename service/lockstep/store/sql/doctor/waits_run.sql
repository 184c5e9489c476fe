-- Waits of runs that are over, or gone.
-- :seconds float8: all rules are given it; here it does not matter
-- :limit bigint
select w.id::text as name
  from waits w
  left join runs r on r.id = w.run_id and r.finished_at is null
 where r.id is null and :seconds is not null
 order by w.id
 limit :limit;
