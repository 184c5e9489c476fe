-- Saved states of runs that are over, or gone.
-- :seconds float8: all rules are given it; here it does not matter
-- :limit bigint
select f.run_id::text as name
  from run_frames f
  left join runs r on r.id = f.run_id and r.finished_at is null
 where r.id is null and :seconds is not null
 order by f.run_id
 limit :limit;
