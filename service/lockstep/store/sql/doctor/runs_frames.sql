-- Active runs without a saved state.
-- :seconds float8: all rules are given it; here it does not matter
-- :limit bigint
select r.id::text as name
  from runs r
 where r.status in ('pending', 'running', 'waiting') and :seconds is not null
   and not exists (select from run_frames f where f.run_id = r.id)
 order by r.id
 limit :limit;
