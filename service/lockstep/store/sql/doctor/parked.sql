-- What no replica could handle.
-- :seconds float8: all rules are given it; here it does not matter
-- :limit bigint
select id || ' (' || left(parked_reason, 120) || ')' as name
  from parked
 where :seconds is not null
 order by parked_at, id
 limit :limit;
