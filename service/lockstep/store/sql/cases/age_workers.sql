-- Damage, for test cases: workers look as if they had not been heard of for so long.
-- :seconds float8
-- :living uuid[]: those that live, and would have been heard of
update workers
   set heartbeat_at = heartbeat_at - make_interval(secs => :seconds)
 where id <> all (:living);
