-- Runs that sleep without a wait, be it armed or fired.
-- :seconds float8: all rules are given it; here it does not matter
-- :limit bigint
select r.id::text as name
  from runs r
 where r.status = 'waiting' and r.parked_at is null and :seconds is not null
   and not exists (select from waits w where w.run_id = r.id and w.kind <> 'deadline')
 order by r.id
 limit :limit;
